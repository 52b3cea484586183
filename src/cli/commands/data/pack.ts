import { csvOptionsOf } from "../../../data/folders/csv-columns.ts";
import type { Packed } from "../../../data/pack/pack.ts";
import { ExitCode, ThawError } from "../../../errors.ts";
import { configFlags, overridesFromFlags } from "../../../run/config-flags.ts";
import { loadConfig } from "../../../run/config-load.ts";
import type { CliCommand } from "../../command.ts";
import { addConfigFlags } from "../../config-flags.ts";
import { openConfiguredData } from "../../dataset.ts";
import { Interrupt } from "../../interrupt.ts";
import { printJson, say } from "../../output.ts";
import { counter, note } from "../../progress.ts";
import { countTable } from "../../table.ts";
import { type SourceFlags, sourceFlags } from "./source-flags.ts";

interface Options extends SourceFlags, Record<string, unknown> {
  out: string;
  overwrite?: true;
}

export const pack: CliCommand = {
  register(command) {
    sourceFlags(command)
      .requiredOption("--out <file>", "the archive, a .zip")
      .option("--overwrite", "replace a file that is there");
    addConfigFlags(command, flags());
    command.action(async (source: string, options: Options) => {
      const { classes, mirror, out } = options;
      const overwrite = options.overwrite === true;
      const config = loadConfig(undefined, {
        ...overridesFromFlags(options, flags()),
        // A config has a model; which one is nothing to the data.
        ...csvOptionsOf(options),
        ...{ data: source, classes, model: "simple_cnn" },
      });
      const { checkPackTarget, packSplits } = await import("../../../data/pack/pack.ts");
      const { ensureEngine } = await import("../../engine.ts");
      checkPackTarget({ out, overwrite });
      await ensureEngine();
      const data = await openConfiguredData(config, mirror);
      for (const text of data.notes) note(text);
      const progress = counter("packed");
      using interrupt = new Interrupt("stopping; nothing is left of the archive");
      const packed = await packSplits(data, {
        ...{ out, overwrite, seed: config.seed, keepOrder: classes !== undefined },
        onProgress(done, total) {
          const { requested } = interrupt;
          if (requested) throw new ThawError("not packed", { exitCode: ExitCode[requested] });
          progress.draw(done, total);
        },
      }).finally(progress.clear);
      if (options.json) printJson({ ...packed, seed: config.seed, notes: data.notes });
      else say(describe(packed));
    });
  },
};

/** Those of `thaw train` that choose images. */
function flags() {
  const keys = new Set([
    ...["perClass", "trainSize", "valSize", "testSize", "testFrom", "seed"],
    ...["pixelRange", "onBadImage"],
  ]);
  return configFlags().filter(({ path }) => keys.has(path[0]!));
}

function describe({ out, images, bytes, classes }: Packed): string {
  const rows = Object.fromEntries(
    Object.entries(classes).map(([name, { folder, ...counts }]) => [
      folder === name ? name : `${name} (${folder}/)`,
      counts,
    ]),
  );
  const size = bytes.toLocaleString("en");
  return `${countTable(["train", "val", "test"], rows)}\n${images.toLocaleString("en")} images in ${out}, ${size} bytes`;
}
