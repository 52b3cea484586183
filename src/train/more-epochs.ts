import { UsageError } from "../errors.ts";
import type { TrainConfig } from "../run/config.ts";
import { readRun } from "../run/read.ts";
import type { RunRecord } from "../run/record.ts";
import { updatesPerEpoch } from "./accumulation.ts";
import { isOver } from "./best.ts";
import { makeSchedule } from "./plan.ts";
import { digestOf, earlierEpochs } from "./resume.ts";
import type { Session } from "./session.ts";

/** Are more epochs asked for than the run's record has? */
export function asksForMore(run: RunRecord, { epochs }: TrainConfig): boolean {
  return epochs > Number(readRun(run.dir).config["epochs"]);
}

/**
 * Writes into the record that the run goes on for more epochs than it had. The session stands at its newest checkpoint.
 * Returns what a person should know: the schedule of the learning rate has a new end.
 * @throws UsageError for a run that was stopped early, which more epochs would not change.
 */
export function extendRun(run: RunRecord, config: TrainConfig, session: Session): string {
  const { config: before, environment, summary } = readRun(run.dir);
  const from = Number(before["epochs"]);
  const { epoch, step } = session.progress;
  if (step === 0) {
    throw new UsageError(
      `--epochs ${config.epochs}: ${run.name} has no checkpoint left to resume from`,
      { hint: "train a new run" },
    );
  }
  if (isOver(session.progress, config.patience)) {
    throw new UsageError(
      `--epochs ${config.epochs}: ${run.name} stopped early after epoch ${epoch}, with no improvement for ${config.patience} epochs (--patience)`,
      { hint: "it would stop again at once: start a new run with a larger --patience" },
    );
  }
  // A kill between two of these leaves a run that is resumed with the same command.
  if (summary !== undefined) {
    const reason = `extended to ${config.epochs} epochs`;
    run.writeSummary({ ...summary, status: "interrupted", reason, test: null });
  }
  run.writeJson("environment.json", {
    ...environment,
    configDigest: digestOf(config),
    earlierEpochs: [...new Set([...earlierEpochs(environment), from])],
  });
  run.writeJson("config.json", { ...before, epochs: config.epochs });
  const stepsPerEpoch = updatesPerEpoch(session.train.batches, config.gradAccumSteps ?? 1);
  const rate = (epochs: number, at: number) => {
    const factor = makeSchedule({ ...config, epochs }, stepsPerEpoch).at(at);
    return Number((config.lr * factor).toPrecision(3));
  };
  const what = `continues after epoch ${epoch}, to ${config.epochs} epochs instead of ${from}`;
  if (!["linear", "cosine", "onecycle"].includes(config.sched)) return what;
  return `${what}; the ${config.sched} schedule now ends at epoch ${config.epochs}: the learning rate was ${rate(from, Math.max(0, step - 1))} in the last step and is ${rate(config.epochs, step)} in the next one, so this is not the same as ${config.epochs} epochs from the start`;
}
