import { augmentationKeys, augmentationOf } from "../../../run/augmentation.ts";
import { configFlags, overridesFromFlags } from "../../../run/config-flags.ts";
import { loadConfig } from "../../../run/config-load.ts";
import type { CliCommand } from "../../command.ts";
import { openConfiguredData } from "../../dataset.ts";
import { printJson, say } from "../../output.ts";
import { note } from "../../progress.ts";
import { type SourceFlags, sourceFlags, wholeNumber } from "./source-flags.ts";

interface Options extends SourceFlags, Record<string, unknown> {
  out?: string;
  images: number;
  draws: number;
  epoch: number;
}

export const preview: CliCommand = {
  register(command) {
    sourceFlags(command)
      .option("--out <file>", "the sheet, a PNG; default <name>-preview.png")
      .option("--images <n>", "rows: images, of every class in turn", wholeNumber("--images", 1), 8)
      .option("--draws <n>", "columns: epochs, one a draw", wholeNumber("--draws", 1), 7)
      .option("--epoch <n>", "the first of them", wholeNumber("--epoch", 1), 1);
    for (const { usage, negation, help, parse } of flags()) {
      if (negation === undefined) command.option(usage, help, parse);
      else command.option(usage, help).option(negation, `not ${usage}`);
    }
    command.action(async (source: string, options: Options) => {
      const { classes, mirror, images, draws, epoch } = options;
      const config = loadConfig(undefined, {
        ...overridesFromFlags(options, flags()),
        ...{ data: source, classes },
        // A config has one; it is not looked at.
        model: "resnet18",
      });
      const { ensureNative } = await import("../../../libtorch/index.ts");
      const { previewAugmentation } = await import("../../../data/preview.ts");
      const { augmentationSheet } = await import("../../../report/augmentation-sheet.ts");
      const { writeDurably } = await import("../../../run/durable.ts");
      const { isAugmented } = await import("../../../data/transforms/augment.ts");
      await ensureNative();
      const data = await openConfiguredData(config, mirror);
      const augment = augmentationOf(config);
      const { seed } = config;
      const rows = await previewAugmentation(data, { augment, seed, epoch, draws, images });
      const out = options.out ?? `${data.name}-preview.png`;
      writeDurably(out, [await augmentationSheet(rows, epoch)]);
      if (data.kind === "memory" && !isAugmented(augment)) {
        note("nothing is changed: give --augment-flip, --aa randaugment or another augmentation");
      }
      if (options.json) printJson({ out, augment, seed, epoch, draws, images: rows.length });
      else say(`${rows.length} images, epochs ${epoch} to ${epoch + draws - 1}: ${out}`);
    });
  },
};

/** Those of `thaw train` that change single images. */
function flags() {
  const keys = new Set<string>([...augmentationKeys, "seed"]);
  return configFlags().filter(({ path }) => keys.has(path[0]!));
}
