import { csvOptionsOf } from "../../../data/folders/csv-columns.ts";
import { augmentationKeys, augmentationOf, changesImages } from "../../../run/augmentation.ts";
import { configFlags, overridesFromFlags } from "../../../run/config-flags.ts";
import { loadConfig } from "../../../run/config-load.ts";
import type { CliCommand } from "../../command.ts";
import { addConfigFlags } from "../../config-flags.ts";
import { openConfiguredData } from "../../dataset.ts";
import { printJson, say } from "../../output.ts";
import { note } from "../../progress.ts";
import { wholeNumber } from "../../whole-number.ts";
import { type SourceFlags, sourceFlags } from "./source-flags.ts";

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
      .option(
        "--images <n>",
        "rows: number of images, taken from each class in turn",
        wholeNumber("--images", 1, 200),
        8,
      )
      .option("--draws <n>", "columns: number of epochs to show", wholeNumber("--draws", 1, 100), 7)
      .option("--epoch <n>", "the first of them", wholeNumber("--epoch", 1), 1);
    addConfigFlags(command, flags());
    command.action(async (source: string, options: Options) => {
      const { classes, mirror, images, draws, epoch } = options;
      const given = loadConfig(undefined, {
        ...overridesFromFlags(options, flags()),
        ...csvOptionsOf(options),
        ...{ data: source, classes },
        // A config has one; photographs are brought to its size unless --img-size is given.
        model: "resnet18",
      });
      const { ensureEngine } = await import("../../engine.ts");
      const { previewAugmentation } = await import("../../../data/preview.ts");
      const { augmentationSheet } = await import("../../../report/augmentation-sheet.ts");
      const { writeDurably } = await import("../../../platform/durable.ts");
      const { trainingFit, trainingInput, withInput } = await import("../../../train/input.ts");
      const { evaluationFit } = await import("../../../run/input.ts");
      await ensureEngine();
      const data = await openConfiguredData(given, mirror);
      const config = withInput(given, undefined, data);
      const input = trainingInput(config, data);
      const augment = augmentationOf(config);
      const { seed } = config;
      const fits = {
        train: trainingFit(config, input, data.train),
        original: evaluationFit(input, data.train),
      };
      const { mean, std } = input;
      const rows = await previewAugmentation(data.train, {
        ...{ augment, fits, mean, std, seed, epoch, draws, images },
      });
      const out = options.out ?? `${data.name}-preview.png`;
      writeDurably(out, [await augmentationSheet(rows, epoch)]);
      if (!changesImages(config)) {
        note("nothing is changed: give --augment-flip, --aa randaugment or another augmentation");
      }
      if (options.json) printJson({ out, augment, seed, epoch, draws, images: rows.length });
      else say(`${rows.length} images, epochs ${epoch} to ${epoch + draws - 1}: ${out}`);
    });
  },
};

const fitKeys = ["imgSize", "cropPct", "interpolation", "scale", "ratio", "hflip", "keepSide"];

/** Those of `thaw train` that change single images. */
function flags() {
  const keys = new Set<string>([
    ...[...augmentationKeys, ...fitKeys],
    ...["seed", "pixelRange", "onBadImage"],
  ]);
  return configFlags().filter(({ path }) => keys.has(path[0]!));
}
