import type { CliCommand } from "../command.ts";
import { registerSubcommands } from "../subcommands.ts";
import { info } from "./data/info.ts";
import { prepare } from "./data/prepare.ts";

export const data: CliCommand = {
  async register(command, words) {
    const subcommands = {
      prepare: {
        summary: "check images, split them and build a folder to train on",
        command: prepare,
      },
      info: {
        summary: "say what is in a data set: counts, sizes, duplicates, leaks between splits",
        command: info,
      },
      pack: {
        summary: "write a data set's images as PNG files in class folders, in one zip",
        command: async () => (await import("./data/pack.ts")).pack,
      },
      preview: {
        summary: "draw training images as augmentation changes them, epoch by epoch",
        command: async () => (await import("./data/preview.ts")).preview,
      },
    };
    await registerSubcommands(command, "data", subcommands, words);
  },
};
