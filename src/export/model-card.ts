import type { Run } from "../run/read.ts";
import type { ExportReport } from "./export-run.ts";
import type { ExportMetadata } from "./metadata.ts";

/** `README.md` as the hub reads it: what the model is, how it was judged, and what it is not for. */
export function modelCard(run: Run, metadata: ExportMetadata, report: ExportReport): string {
  const { classes, input, licence, model, data, precision } = metadata;
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
            `${test.macroF1.toFixed(4)}${test.macroF195 ? ` (95 % interval ${test.macroF195.map((v) => v.toFixed(4)).join(" to ")})` : ""}`,
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
  const resize =
    input.interpolation === undefined
      ? `Images of exactly ${input.height}×${input.width} pixels, as they are.`
      : `The shorter side is resized (${input.interpolation}, antialiased) so that a centre crop of ${input.height}×${input.width} keeps ${input.cropPct} of it.`;
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
    `Input: ${metadata.takes === "pixels" ? `\`pixels\`, uint8 [N, ${input.height}, ${input.width}, ${input.channels}]` : `\`images\`, float32 [N, ${input.channels}, ${input.height}, ${input.width}], (pixel/255 − mean)/std with mean ${input.mean.join(", ")} and std ${input.std.join(", ")}`}. Output: \`${metadata.gives}\` [N, ${classes.length}]. ${resize}`,
    "",
    "```sh",
    "npx thaw predict model.onnx pictures/",
    "```",
    "",
    `ONNX Runtime and the model were asked about ${parity.images} ${parity.split} images: outputs differ by at most ${parity.maxDifference.toPrecision(3)}, and ${percent(parity.agreement)} get the same class.`,
    "",
    "## Limits",
    "",
    `It knows the classes above and names one of them for every image, whatever is on it. Its figures are of ${test?.n ?? 0} test images of ${data}; other cameras, places and times give others. ${metadata.gives === "logits" ? "A softmax of the logits is no calibrated probability unless the calibration error above is small." : "Its probabilities are not calibrated."}`,
    "",
    "## Licence",
    "",
    `Of the weights that training began with: ${licence}. That of the images is their owner's to tell.`,
    "",
  ].join("\n");
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
