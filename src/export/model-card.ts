import { printableLine } from "../platform/printable.ts";
import { macroF1Text } from "../run/macro-f1.ts";
import type { Run } from "../run/read.ts";
import type { ExportReport } from "./export-run.ts";
import type { ExportMetadata } from "./metadata.ts";

/** `README.md` as the hub reads it: what the model is, how it was judged, and what it is not for. */
export function modelCard(run: Run, metadata: ExportMetadata, report: ExportReport): string {
  const { classes, licence, model, data, precision } = metadata;
  const { summary } = run;
  const test = summary?.test ?? undefined;
  const percent = (share: number) => `${(100 * share).toFixed(2)} %`;
  const between = ([low, high]: readonly [number, number]) => `${percent(low)} to ${percent(high)}`;
  const rows: (readonly [string, string])[] =
    test === undefined
      ? []
      : [
          ["Accuracy", `${percent(test.accuracy)} (95 % interval ${between(test.accuracy95)})`],
          [
            "Macro-F1",
            `${macroF1Text(test)}${test.macroF195 ? ` (95 % interval ${test.macroF195.map((v) => v.toFixed(4)).join(" to ")})` : ""}`,
          ],
          ...(test.calibrationError != null
            ? [["Expected calibration error", test.calibrationError.toFixed(4)] as const]
            : []),
          ["Test images", String(test.n)],
        ];
  const { int8, parity } = report;
  if (int8 !== undefined) {
    rows.push([
      "Accuracy of this int8 file",
      `${percent(int8.after.accuracy)} (95 % interval ${between(int8.after.accuracy95)})`,
    ]);
  }
  const front = [
    "---",
    `license: ${yaml(spdxOf(licence))}`,
    "library_name: onnx",
    "pipeline_tag: image-classification",
    "tags:",
    "- image-classification",
    "- onnx",
    "- thaw",
    ...(test === undefined ? [] : resultOf(run.name, data, test.accuracy)),
    "---",
  ];
  return [
    ...front,
    "",
    `# ${run.name}`,
    "",
    `An image classifier of ${classes.length} classes: ${model}, trained with Thaw on ${data}, as an ONNX file in ${precision}.`,
    "",
    "## Classes",
    "",
    ...classes.map((name, i) => `${i}. ${name.replaceAll(/[\\`*_<>[\]]/g, "\\$&")}`),
    "",
    "## Data and training",
    "",
    `Data set: ${data}. Strategy: ${summary?.strategy ?? "unknown"}; ${summary?.epochs ?? 0} epochs, seed ${summary?.seed ?? "unknown"}; ${summary?.parameters ?? "unknown"} parameters, of which ${summary?.trainableParameters ?? "unknown"} were trained.`,
    "",
    "## Results on the test set",
    "",
    ...(rows.length === 0
      ? ["It was not judged."]
      : ["| | |", "|---|---|", ...rows.map(([name, value]) => `| ${name} | ${value} |`)]),
    "",
    "## Use",
    "",
    `Input: ${inputOf(metadata)} Output: \`${metadata.gives}\` [N, ${classes.length}].`,
    "",
    "```sh",
    "npx thaw predict model.onnx pictures/",
    "```",
    "",
    `ONNX Runtime was compared with the model on ${parity.images} ${parity.split} images: outputs differ by at most ${parity.maxDifference.toPrecision(3)} (the largest output is ${Number(parity.largestOutput.toPrecision(3))}), and ${percent(parity.agreement)} get the same class.${ownResizing(parity)}`,
    "",
    "## Limits",
    "",
    `It knows the classes above and names one of them for every image, whatever is on it. Its figures are of ${test?.n ?? 0} test images of ${data}; other cameras, places and times give others. ${metadata.gives === "logits" ? "A softmax of the logits is no calibrated probability unless the calibration error above is small." : "Its probabilities are not calibrated."}`,
    "",
    "## Licence",
    "",
    `Of the weights that training began with: ${licence}. That of the images is their owner's to tell.`,
    "",
  ]
    .map(printableLine)
    .join("\n");
}

function ownResizing({ resizing }: ExportReport["parity"]): string {
  return resizing === undefined
    ? ""
    : ` Its own resizing differs from that of training by at most ${resizing.largest} of 255 grey levels, ${resizing.mean.toPrecision(2)} on average.`;
}

/** What the file takes, and what has to be done before. */
function inputOf({ takes, input }: ExportMetadata): string {
  const { channels, height, width, mean, std, interpolation, cropPct } = input;
  const resized =
    interpolation === undefined
      ? undefined
      : `the shorter side resized (${interpolation}, antialiased) so that a centre crop of ${height}×${width} keeps ${cropPct} of it`;
  const usual = `It was trained on ${resized ?? `images of ${height}×${width} pixels, as they are`}.`;
  switch (takes) {
    case "pictures":
      return `\`pictures\`, uint8 [N, height, width, ${channels}] of any height and width, which the file resizes, crops and normalises itself. ${usual}`;
    case "pixels":
      return `\`pixels\`, uint8 [N, ${height}, ${width}, ${channels}]. ${usual}`;
    case "normalised":
      return `\`images\`, float32 [N, ${channels}, ${height}, ${width}], (pixel/255 − mean)/std with mean ${mean.join(", ")} and std ${std.join(", ")}. ${usual}`;
  }
}

/** The hub knows identifiers in small letters, and `other`. */
function spdxOf(licence: string): string {
  return /^[A-Za-z0-9.-]+$/.test(licence) ? licence.toLowerCase() : "other";
}

function resultOf(run: string, data: string, accuracy: number): string[] {
  return [
    "model-index:",
    `- name: ${yaml(run)}`,
    "  results:",
    "  - task:",
    "      type: image-classification",
    "    dataset:",
    `      name: ${yaml(data)}`,
    `      type: ${yaml(data)}`,
    "    metrics:",
    "    - type: accuracy",
    `      value: ${accuracy}`,
  ];
}

/** A JSON string is a YAML string. */
const yaml = (text: string): string => JSON.stringify(text);
