import { readFileSync } from "node:fs";
import { join } from "node:path";
import { nearest, UsageError } from "../errors.ts";
import { evaluateTogether, type Member } from "../evaluate/index.ts";
import { chooseCompute } from "../models/index.ts";
import { drawRun } from "../report/index.ts";
import { loadConfig } from "../run/config-load.ts";
import {
  type CheckpointName,
  checkpointNames,
  evaluationIn,
  type Tta,
  ttaNames,
  type Vote,
  voteNames,
} from "../run/evaluation.ts";
import { readRun } from "../run/read.ts";
import { findRun } from "../run/record.ts";
import type { TestResult } from "../run/results.ts";
import { isClassicalRun } from "./classical.ts";
import { ensureEngine } from "./engine.ts";
import { Interrupt } from "./interrupt.ts";
import { say } from "./output.ts";
import { note, percent } from "./progress.ts";
import { openDataOfRun, type RunDataFlags } from "./run-data.ts";

export interface TogetherFlags extends Readonly<RunDataFlags> {
  readonly out: string;
  readonly tta?: Tta;
  readonly ensemble?: Vote;
  readonly checkpoint?: CheckpointName;
  readonly name?: string;
  readonly overwrite?: true;
  readonly precision?: string;
}

/** Judges several runs as one, or one on several views of its images. The result has a folder of its own. */
export async function judgeTogether(
  names: readonly string[],
  flags: TogetherFlags,
): Promise<{ dir: string; result: TestResult; report: () => string }> {
  const { out, tta, ensemble, checkpoint, name, overwrite, precision } = flags;
  const dirs = names.map((run) => findRun(run, out));
  for (const dir of dirs) refuseWithoutNetwork(dir);
  const twice = dirs.find((dir, i) => dirs.indexOf(dir) !== i);
  if (twice !== undefined) throw new UsageError(`${twice}: named twice`);
  const given = precision === undefined ? {} : { precision };
  const configs = dirs.map((dir) => loadConfig(join(dir, "config.json"), given));
  await ensureEngine();
  const members: Member[] = [];
  for (const [i, dir] of dirs.entries()) {
    const config = configs[i]!;
    const data = await openDataOfRun(dir, flags, ["test"]);
    members.push({ dir, data, compute: chooseCompute(config) });
  }
  using interrupt = new Interrupt("stopping; the runs are unchanged");
  const answer = await evaluateTogether(members, {
    signal: interrupt.signal,
    out,
    onNote: note,
    pictures: drawRun,
    ...{ tta, checkpoint, vote: ensemble },
    ...(name !== undefined && { name }),
    ...(overwrite && { overwrite }),
  });
  const { dir } = answer.run;
  for (const member of answer.members) say(`  ${member.name}  ${percent(member.accuracy)}`);
  say(`the result is in ${dir}; the runs are as they were`);
  const report = () => readFileSync(join(dir, "classification_report.txt"), "utf8");
  return { dir, result: answer.result, report };
}

/** @throws UsageError for a classical run, and for the result of an earlier evaluation. */
export function refuseWithoutNetwork(dir: string): void {
  const { config, name } = readRun(dir);
  const evaluation = evaluationIn(config);
  if (evaluation !== undefined) {
    throw new UsageError(`${name} is the result of an evaluation and has no model of its own`, {
      hint: `name its runs: ${evaluation.members.join(" ")}`,
    });
  }
  if (isClassicalRun(dir)) {
    throw new UsageError(
      `${name} is a classical run: --tta, --ensemble and --checkpoint are for networks`,
    );
  }
}

export const parseTta = (text: string): Tta => oneOf("--tta", ttaNames, text);
export const parseCheckpoint = (text: string): CheckpointName =>
  oneOf("--checkpoint", checkpointNames, text);
export const parseVote = (text: string): Vote => oneOf("--ensemble", voteNames, text);

function oneOf<T extends string>(flag: string, allowed: readonly T[], text: string): T {
  const found = allowed.find((name) => name === text);
  if (found !== undefined) return found;
  const near = nearest(text, allowed);
  throw new UsageError(
    `${flag}: ${JSON.stringify(text)} given; allowed: one of ${allowed.join(", ")}`,
    near === undefined ? {} : { hint: `did you mean ${near}?` },
  );
}
