import type { EpochLine } from "../run/summary.ts";

/** Steps whose mean is what the loss is at, and what it was at first. */
const WINDOW = 20;
/** Times the loss at first, or guessing's where that is more. */
const FAR = 3;
/** Epochs in a row. */
const RISES = 3;

/** Sees a run go wrong while there is time to stop it. Each warning is given once. */
export class Watch {
  /** The loss of a model that guesses. */
  readonly #guessing: number;
  readonly #first: number[] = [];
  readonly #last: number[] = [];
  #epochs: EpochLine[] = [];
  #saidFar = false;
  #saidOverfits = false;

  /** @param before Epochs of an earlier process, whose warnings were given there. */
  constructor(classes: number, before: readonly EpochLine[] = []) {
    this.#guessing = Math.log(classes);
    for (const line of before) this.epoch(line);
  }

  /** Mean loss of a step. */
  step(step: number, loss: number): string | undefined {
    if (this.#first.length < WINDOW) this.#first.push(loss);
    this.#last.push(loss);
    if (this.#last.length > WINDOW) this.#last.shift();
    if (this.#saidFar || this.#last.length < WINDOW) return undefined;
    const start = Math.max(median(this.#first), this.#guessing);
    const now = median(this.#last);
    if (now <= FAR * start) return undefined;
    this.#saidFar = true;
    return (
      `the loss is ${now.toPrecision(3)} at step ${step}, far above the ${start.toPrecision(3)} of the start: ` +
      "training diverges; try a lower --lr, a warm-up (--warmup-epochs 1) or --clip-grad 1"
    );
  }

  epoch(line: EpochLine): string | undefined {
    const last = this.#epochs.at(-1);
    const overfits =
      last !== undefined && line.valLoss > last.valLoss && line.trainLoss < last.trainLoss;
    // The first of the row is the epoch before the first rise.
    this.#epochs = overfits ? [...this.#epochs, line] : [line];
    if (this.#saidOverfits || this.#epochs.length <= RISES) return undefined;
    this.#saidOverfits = true;
    const since = this.#epochs[0]!.epoch;
    return (
      `the validation loss has risen since epoch ${since} while the training loss falls: the model overfits; ` +
      "try augmentation, --weight-decay, --smoothing or --dropout, or stop early (--patience)"
    );
  }
}

/** One step gone astray is not the run. */
function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}
