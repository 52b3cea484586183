import { basename, join } from "node:path";
import { ThawError } from "../../../errors.ts";
import type { Summary } from "../../summary.ts";
import type { HParam } from "../hparams.ts";
import type { Tracker, TrackerOptions } from "../tracker.ts";
import { Backlog } from "./backlog.ts";
import { type KeyValue, type Metric, MlflowClient, type MlflowStatus } from "./client.ts";
import { filesToSend } from "./files.ts";
import { type Journal, readJournal, writeJournal } from "./journal.ts";
import { MlflowRefusal } from "./refusal.ts";
import type { MlflowServer } from "./server.ts";

export interface MlflowOptions extends TrackerOptions {
  /** The run's folder. */
  readonly dir: string;
  readonly params: Readonly<Record<string, HParam>>;
  readonly server: MlflowServer;
  readonly limits?: Partial<typeof usualLimits>;
}

/** In milliseconds. */
const usualLimits = {
  /** A request. */
  request: 10_000,
  /** Between two looks at what is new; after a failure it doubles. */
  pause: 2000,
  longestPause: 60_000,
  /** All that is left to send when the run has ended. */
  close: 60_000,
};

/** MLflow servers before 2.10 take no longer value of a setting. */
const LONGEST_PARAM = 500;

/**
 * Sends a run's record to an MLflow server, while nobody waits for it: the record on disk is the queue. A server that is
 * down or slow costs the run nothing; what it does not have, `send` sends later.
 */
export class MlflowTracker implements Tracker {
  readonly #options: MlflowOptions;
  readonly #limits: typeof usualLimits;
  readonly #client: MlflowClient;
  readonly #backlog: Backlog;
  readonly #journalPath: string;
  #journal: Journal | undefined;
  #summary: Summary | undefined;
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> = Promise.resolve();
  #pause: number;
  #noted = false;
  /** By `performance.now()`: all that is sent before ends by then. */
  #deadline = NO_DEADLINE;
  #refused = false;

  constructor(options: MlflowOptions) {
    this.#options = options;
    this.#limits = { ...usualLimits, ...options.limits };
    this.#client = new MlflowClient(options.server, { timeout: this.#limits.request });
    this.#backlog = new Backlog(options.dir);
    this.#journalPath = join(options.dir, "mlflow.json");
    this.#journal = readJournal(this.#journalPath, options.server);
    this.#pause = this.#limits.pause;
    this.#schedule(0);
  }

  // What these tell is in the record, from where it is sent.
  step(): void {}
  epoch(): void {}
  image(): void {}

  summary(summary: Summary): void {
    this.#summary = summary;
  }

  /** Sends the rest of the record and its files, and gives up in time. Throws nothing. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    // For what is being sent just now, too: of a long backlog every request may be slow.
    this.#deadline = performance.now() + this.#limits.close;
    await this.#working;
    clearTimeout(this.#timer);
    if (this.#refused) return;
    try {
      await this.#sendAll();
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Sends what the server does not have of a run that nobody trains now. @throws ThawError where that fails. */
  async send(summary: Summary | undefined): Promise<{ readonly runId: string }> {
    clearTimeout(this.#timer);
    this.#summary = summary;
    try {
      await this.#sendAll();
    } catch (error) {
      if (this.#journal !== undefined) this.#keepJournal(this.#journal);
      throw new ThawError(`MLflow at ${this.#options.server.url}: ${reasonOf(error)}`, {
        hint: "what was sent is noted; the same command sends the rest",
        cause: error,
      });
    }
    return { runId: this.#journal!.runId };
  }

  #schedule(milliseconds: number): void {
    this.#timer = setTimeout(() => {
      this.#working = this.#sendNumbers().then(
        () => {
          this.#pause = this.#limits.pause;
          this.#schedule(this.#pause);
        },
        (error: unknown) => {
          this.#failed(error);
          this.#pause = Math.min(2 * this.#pause, this.#limits.longestPause);
          if (!this.#refused) this.#schedule(this.#pause);
        },
      );
    }, milliseconds);
    // A run that has ended does not wait for it.
    this.#timer.unref();
  }

  async #sendAll(): Promise<void> {
    const journal = await this.#sendNumbers();
    const summary = this.#summary;
    if (summary !== undefined && summary.status !== "running") {
      const results = resultMetrics(summary, journal.step, this.#options.now());
      if (results.length > 0) await this.#client.logMetrics(journal.runId, results);
      await this.#sendFiles(journal);
      await this.#tellStatus(journal, mlflowStatus(summary));
    }
    writeJournal(this.#journalPath, journal);
  }

  async #sendNumbers(): Promise<Journal> {
    const journal = await this.#openRun();
    const { epoch } = journal;
    for (;;) {
      const portion = await this.#backlog.next(journal, this.#options.now());
      if (portion === undefined) break;
      inTime(this.#deadline);
      await this.#client.logMetrics(journal.runId, portion.metrics);
      this.#backlog.done(portion);
      Object.assign(journal, { step: portion.step, epoch: portion.epoch });
    }
    // Not after every request: a disk may take its time. What is sent twice is kept once.
    if (journal.epoch > epoch) writeJournal(this.#journalPath, journal);
    return journal;
  }

  async #openRun(): Promise<Journal> {
    const { server, dir, params, now } = this.#options;
    if (this.#journal === undefined) {
      const experiment = await this.#client.experiment(server.experiment);
      const name = basename(dir);
      const tags = [
        { key: "mlflow.runName", value: name },
        { key: "mlflow.source.name", value: "thaw" },
        { key: "mlflow.source.type", value: "LOCAL" },
      ];
      const run = await this.#client.createRun(experiment, { name, startTime: now(), tags });
      this.#journal = {
        ...{ server: server.url, experiment: server.experiment },
        ...{ runId: run.id, artifactUri: run.artifactUri },
        ...{ params: false, step: 0, epoch: 0, status: "RUNNING", files: {} },
      };
      writeJournal(this.#journalPath, this.#journal);
    }
    const journal = this.#journal;
    if (!journal.params) {
      await this.#client.logParams(journal.runId, paramTexts(params));
      journal.params = true;
    }
    // A run that goes on after it was left.
    const isOver = this.#summary !== undefined && this.#summary.status !== "running";
    if (journal.status !== "RUNNING" && !isOver) await this.#tellStatus(journal, "RUNNING");
    return journal;
  }

  async #tellStatus(journal: Journal, status: MlflowStatus): Promise<void> {
    if (journal.status === status) return;
    const end = status === "RUNNING" ? undefined : this.#options.now();
    await this.#client.updateRun(journal.runId, status, end);
    journal.status = status;
  }

  async #sendFiles(journal: Journal): Promise<void> {
    const run = { id: journal.runId, artifactUri: journal.artifactUri };
    for (const { name, path, stamp } of filesToSend(this.#options.dir)) {
      if (journal.files[name] === stamp) continue;
      const left = inTime(this.#deadline);
      await this.#client.upload(run, name, path, Math.min(left, LONGEST_UPLOAD));
      journal.files[name] = stamp;
    }
  }

  #failed(error: unknown): void {
    if (error instanceof MlflowRefusal) this.#refused = true;
    if (this.#journal !== undefined) this.#keepJournal(this.#journal);
    if (this.#noted) return;
    this.#noted = true;
    const { server, dir, note } = this.#options;
    note(
      `warning: MLflow at ${server.url}: ${reasonOf(error)}; nothing waits for it, and what it does not have is in ${dir}: \`thaw track ${dir}\` sends it`,
    );
  }

  #keepJournal(journal: Journal): void {
    try {
      writeJournal(this.#journalPath, journal);
    } catch {
      // The failure that led here is the one to tell.
    }
  }
}

const LONGEST_UPLOAD = 3_600_000;
const NO_DEADLINE = Number.POSITIVE_INFINITY;

/** Milliseconds that are left. */
function inTime(deadline: number): number {
  const left = deadline - performance.now();
  if (left > 0) return left;
  throw new Error("there was no time left to send everything");
}

function mlflowStatus({ status }: Summary): MlflowStatus {
  if (status === "finished") return "FINISHED";
  return status === "failed" ? "FAILED" : "KILLED";
}

function resultMetrics(
  { test, best, seconds, peakMemoryBytes }: Summary,
  step: number,
  timestamp: number,
): Metric[] {
  const values = {
    "accuracy/test": test?.accuracy,
    "macro_f1/test": test?.macroF1,
    "macro_f1_all_classes/test": test?.macroF1AllClasses,
    "loss/test": test?.loss,
    "accuracy/val_best": best?.valAccuracy,
    train_seconds: seconds.train,
    peak_memory_bytes: peakMemoryBytes,
  };
  return Object.entries(values).flatMap(([key, value]) =>
    typeof value === "number" ? [{ key, value, step, timestamp }] : [],
  );
}

function paramTexts(params: MlflowOptions["params"]): KeyValue[] {
  return Object.entries(params)
    .map(([key, value]) => ({ key, value: String(value).slice(0, LONGEST_PARAM) }))
    .filter(({ value }) => value !== "");
}

/** The address is in the note already. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error && cause.message !== "" ? cause.message : message;
}
