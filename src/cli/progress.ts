import type { DatasetProgress } from "../data/datasets/index.ts";
import type { TimingLine } from "../run/summary.ts";
import type { StartInfo, StepProgress, TrainEvents } from "../train/index.ts";
import { colors, indented, say } from "./output.ts";
import { weightsTable } from "./weights-table.ts";

/** What a person sees of a training: one bar that is redrawn on a terminal, plain lines elsewhere. */
export function trainingProgress(stream: NodeJS.WriteStream = process.stderr): TrainEvents {
  const bar = new Bar(stream);
  return {
    onStart: (info) => say(describeStart(info)),
    onWeights: (report, from) => say(weightsTable(report, from)),
    onNote: (text) => {
      bar.clear();
      note(text);
    },
    onStep: (progress) => bar.draw(progress),
    onEpoch: (line, timing, best) => {
      bar.clear();
      const { epoch, trainLoss, trainAccuracy, valLoss, valAccuracy } = line;
      say(
        `epoch ${epoch}  loss ${trainLoss.toFixed(4)}  accuracy ${percent(trainAccuracy)}  ` +
          `val loss ${valLoss.toFixed(4)}  val accuracy ${percent(valAccuracy)}  ` +
          `${Math.round(timing.imagesPerSecond)} images/s${waiting(timing)}${best ? colors.green("  best") : ""}`,
      );
    },
  };
}

/** A note or, where the text says so itself, a warning. */
export function note(text: string): void {
  const warning = text.startsWith("warning: ");
  say(
    `${colors.yellow(warning ? "warning:" : "note:")} ${indented(text.replace(/^warning: /, ""))}`,
  );
}

/** "checked 120/807", redrawn on a terminal; silent elsewhere. */
export function counter(
  verb: string,
  stream: NodeJS.WriteStream = process.stderr,
): { draw(done: number, total: number): void; clear(): void } {
  let drawn = 0;
  return {
    draw(done, total) {
      const now = performance.now();
      if (!stream.isTTY || (now - drawn < REDRAW_MS && done < total)) return;
      drawn = now;
      stream.write(`\r\x1b[K${verb} ${done}/${total}`);
    },
    clear() {
      if (stream.isTTY) stream.write("\r\x1b[K");
    },
  };
}

/** How far a data set or a file of weights is. */
type Progress = Pick<DatasetProgress, "file" | "received"> & {
  readonly phase?: DatasetProgress["phase"];
  readonly total?: number | undefined;
};

/** Tells of a download or unpacking in steps of a tenth, on stderr. */
export function downloadProgress(): (progress: Progress) => void {
  let told = "";
  return ({ phase, received, total, file }) => {
    const share = total ? `: ${Math.floor((10 * received) / total) * 10} %` : "";
    const own = { check: "checking", decode: "decoding", unpack: undefined, download: undefined };
    const doing = (phase && own[phase]) ?? (total ? "fetching" : "unpacking");
    const line = `${doing} ${file}${share}`;
    if (line !== told) say(line);
    told = line;
  };
}

/** Worth a word where more than a twentieth of the time goes by without a batch. */
function waiting({ train, dataWait = 0 }: TimingLine): string {
  const share = dataWait / train;
  return share > 0.05 ? `  ${Math.round(100 * share)} % of it waiting for data` : "";
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

/** 75 → "1:15", 3675 → "1:01:15". */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const shown = parts[0] === 0 ? parts.slice(1) : parts;
  return shown.map((part, i) => (i === 0 ? String(part) : String(part).padStart(2, "0"))).join(":");
}

function describeStart(info: StartInfo): string {
  const { compute, counts, parameters, trainableParameters } = info;
  const trained =
    parameters === trainableParameters
      ? ""
      : `, ${trainableParameters.toLocaleString("en")} trained`;
  const resumed = info.resumedEpoch > 0 ? `, going on after epoch ${info.resumedEpoch}` : "";
  return [
    `${colors.bold(info.run)} → ${info.dir}${resumed}`,
    `  ${parameters.toLocaleString("en")} parameters${trained}; ` +
      `${counts.train} training, ${counts.val} validation and ${counts.test} test images`,
    `  ${compute.precision} on ${compute.device} (${compute.reason}), ${info.threads} threads`,
    ...describeImages(info),
  ].join("\n");
}

/** Of images that are resized: how, for training and for judging. */
function describeImages({ input, fit }: StartInfo): string[] {
  if (fit === undefined) return [];
  const judged = describeResizing(input)!;
  if (fit.crop.kind !== "random") return [`  images ${judged}`];
  const { scale, ratio, hflip } = fit.crop;
  const range = (of: readonly [number, number], digits: number) =>
    of.map((value) => Number(value.toFixed(digits))).join(" to ");
  return [
    `  images ${judged}; in training a random crop of ${range([100 * scale[0], 100 * scale[1]], 0)} % of the area, ` +
      `width by height ${range(ratio, 2)}, mirrored in ${Number((100 * hflip).toFixed(1))} %`,
  ];
}

/** "224×224, bicubic, crop 0.9"; undefined for images that stay as they are. */
export function describeResizing({
  height,
  width,
  interpolation,
  cropPct,
}: StartInfo["input"]): string | undefined {
  if (interpolation === undefined || cropPct === undefined) return undefined;
  return `${height}×${width}, ${interpolation}, crop ${cropPct}`;
}

const WIDTH = 24;
const REDRAW_MS = 100;

class Bar {
  readonly #stream: NodeJS.WriteStream;
  #drawn = 0;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  draw({ epoch, epochs, step, steps, loss, imagesPerSecond, secondsLeft }: StepProgress): void {
    const now = performance.now();
    if (!this.#stream.isTTY || now - this.#drawn < REDRAW_MS) return;
    this.#drawn = now;
    const filled = Math.round((WIDTH * step) / steps);
    const bar = "█".repeat(filled) + "░".repeat(WIDTH - filled);
    this.#stream.write(
      `\r\x1b[Kepoch ${epoch}/${epochs} ${bar} ${step}/${steps}  loss ${loss.toFixed(4)}  ` +
        `${Math.round(imagesPerSecond)} images/s  ${duration(secondsLeft)} left`,
    );
  }

  clear(): void {
    if (this.#stream.isTTY) this.#stream.write("\r\x1b[K");
  }
}
