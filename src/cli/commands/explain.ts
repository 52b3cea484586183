import { mkdirSync } from "node:fs";
import { basename } from "node:path";
import { UsageError } from "../../errors.ts";
import { explainRun, folderBeside } from "../../evaluate/index.ts";
import { writeExplanations } from "../../report/index.ts";
import { findRun } from "../../run/record.ts";
import { isClassicalRun } from "../classical.ts";
import type { CliCommand } from "../command.ts";
import { ensureEngine } from "../engine.ts";
import { Interrupt } from "../interrupt.ts";
import { printJson, say } from "../output.ts";
import { addRunDataFlags, openDataOfRun, type RunDataFlags } from "../run-data.ts";
import { mirrorHelp } from "../weights.ts";
import { wholeNumber } from "../whole-number.ts";

interface Options extends RunDataFlags {
  out: string;
  images: number;
  json?: true;
}

export const explain: CliCommand = {
  register(command) {
    addRunDataFlags(command)
      .argument("<run>", "a run's folder, or its name")
      .option("--images <n>", "test images of each class", wholeNumber("--images", 1), 3)
      .option("--out <folder>", "folder of the runs", "runs")
      .option("--mirror <folder or url>", mirrorHelp)
      .option("--json", "print what the model says of each image as JSON")
      .action(async (name: string, options: Options) => {
        const { out, images: perClass, json } = options;
        const dir = findRun(name, out);
        if (isClassicalRun(dir)) {
          throw new UsageError(`${name} is a classical model: it has no feature map to look into`, {
            hint: "explain a network's run",
          });
        }
        await ensureEngine();
        const data = await openDataOfRun(dir, options, ["test"]);
        using interrupt = new Interrupt("stopping");
        const { signal } = interrupt;
        const explained = await explainRun(dir, data, { perClass, signal });
        // Without some of the run's images it is another picture, and does not replace the run's own.
        const folder = folderBeside(dir, data) ?? dir;
        mkdirSync(folder, { recursive: true });
        const files = await writeExplanations(folder, basename(dir), data.test, explained);
        if (!json) {
          say(`${explained.images.length} images by ${explained.method}: ${files[1]}`);
          return;
        }
        const images = explained.images.map(({ map: _, ...said }) => said);
        const { leftOut } = data;
        printJson({ run: dir, method: explained.method, files, images, leftOut });
      });
  },
};
