import { open } from "node:fs/promises";
import { join } from "node:path";
import type { EpochLine, StepLine, TimingLine } from "../../summary.ts";
import { type Metric, MOST_METRICS } from "./client.ts";

/** Bytes of a file that are read at a time. */
const CHUNK = 256 * 1024;

/** Reads the lines of a growing file, from where it has stopped. A line that is not finished is left for the next time. */
class Tail {
  readonly #path: string;
  #offset = 0;

  constructor(path: string) {
    this.#path = path;
  }

  async next(): Promise<unknown[]> {
    const file = await open(this.#path).catch(() => undefined);
    if (file === undefined) return [];
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(CHUNK), 0, CHUNK, this.#offset);
      const end = buffer.subarray(0, bytesRead).lastIndexOf(10) + 1;
      this.#offset += end;
      const lines = buffer.toString("utf8", 0, end).split("\n").filter(Boolean);
      return lines.map((line) => JSON.parse(line) as unknown);
    } finally {
      await file.close();
    }
  }
}

/** Numbers to send, and up to where they go. */
export interface Portion {
  readonly metrics: readonly Metric[];
  readonly step: number;
  readonly epoch: number;
}

/**
 * A run's numbers that are not sent yet. The record itself is the queue: nothing waits in memory, however long the server
 * is away, and what was not sent in this process another one sends.
 */
export class Backlog {
  readonly #steps: Tail;
  readonly #epochs: Tail;
  readonly #timings: Tail;
  readonly #throughput = new Map<number, number>();
  #waiting: { readonly at: { step: number; epoch: number }; readonly metrics: Metric[] }[] = [];

  constructor(dir: string) {
    this.#steps = new Tail(join(dir, "steps.jsonl"));
    this.#epochs = new Tail(join(dir, "metrics.jsonl"));
    this.#timings = new Tail(join(dir, "timings.jsonl"));
  }

  /** As many of the next lines as fit into a request; `sent` says what is there already. Undefined where none is left. */
  async next(
    sent: { readonly step: number; readonly epoch: number },
    now: number,
  ): Promise<Portion | undefined> {
    if (this.#waiting.length === 0) await this.#read(sent, now);
    const portion: Metric[] = [];
    let { step, epoch } = sent;
    let count = 0;
    for (const { at, metrics } of this.#waiting) {
      if (portion.length + metrics.length > MOST_METRICS) break;
      portion.push(...metrics);
      step = Math.max(step, at.step);
      epoch = Math.max(epoch, at.epoch);
      count++;
    }
    return count === 0 ? undefined : { metrics: portion, step, epoch };
  }

  /** The last portion has arrived. */
  done({ step, epoch }: Portion): void {
    this.#waiting = this.#waiting.filter(({ at }) => at.step > step || at.epoch > epoch);
  }

  async #read(sent: { readonly step: number; readonly epoch: number }, now: number): Promise<void> {
    for (const line of (await this.#timings.next()) as TimingLine[]) {
      this.#throughput.set(line.epoch, line.imagesPerSecond);
    }
    const point = (key: string, value: number, step: number): Metric => ({
      ...{ key, value, step, timestamp: now },
    });
    for (let lines = await this.#steps.next(); lines.length > 0; lines = await this.#steps.next()) {
      for (const { step, loss, lr, gradNorm } of lines as StepLine[]) {
        if (step <= sent.step) continue;
        const metrics = [point("loss/step", loss, step), point("learning_rate", lr, step)];
        if (gradNorm !== undefined) metrics.push(point("gradient_norm", gradNorm, step));
        this.#waiting.push({ at: { step, epoch: 0 }, metrics });
      }
      if (this.#waiting.length > 0) break;
    }
    for (const line of (await this.#epochs.next()) as EpochLine[]) {
      if (line.epoch <= sent.epoch) continue;
      const { epoch, step } = line;
      const throughput = this.#throughput.get(epoch);
      const metrics = [
        point("loss/train", line.trainLoss, step),
        point("loss/val", line.valLoss, step),
        point("accuracy/train", line.trainAccuracy, step),
        point("accuracy/val", line.valAccuracy, step),
        point("epoch", epoch, step),
      ];
      if (throughput !== undefined) metrics.push(point("images_per_second", throughput, step));
      this.#waiting.push({ at: { step: 0, epoch }, metrics });
    }
  }
}
