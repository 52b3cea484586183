import { relative } from "node:path";
import { ExitCode, UsageError } from "../../errors.ts";
import { ensureNative } from "../../libtorch/index.ts";
import { type Comparison, compareRuns, drawRun } from "../../report/index.ts";
import { loadMatrix, type Matrix } from "../../run/matrix.ts";
import { type Placed, placeMembers } from "../../run/member-state.ts";
import { type MatrixOutcome, openStartWeights, trainMatrix } from "../../train/index.ts";
import { describeFit } from "../classical.ts";
import type { CliCommand } from "../command.ts";
import { openConfiguredData } from "../dataset.ts";
import { Interrupt } from "../interrupt.ts";
import { colors, printJson, say } from "../output.ts";
import { note, percent, trainingProgress } from "../progress.ts";
import { announce, mirrorHelp, offlineHelp, type WeightsFlags, weightsPlaces } from "../weights.ts";

interface Options extends WeightsFlags {
  out?: string;
  seeds?: number;
  dryRun?: true;
  json?: true;
}

export const compare: CliCommand = {
  register(command) {
    command
      .argument(
        "<file>",
        "YAML or JSON: base: with keys of thaw train, matrix: with lists of values",
      )
      .option(
        "--out <folder>",
        "folder of the runs and the report; default runs/<name of the file>",
      )
      .option("--seeds <n>", "train every member with so many seeds", seeds)
      .option("--dry-run", "say what would be trained, and train nothing")
      .option("--mirror <folder or url>", mirrorHelp)
      .option("--offline", offlineHelp)
      .option("--json", "print the outcome as JSON")
      .action(async (file: string, options: Options) => {
        const matrix = loadMatrix(file, options);
        if (options.dryRun) return listMembers(matrix, options);
        await ensureNative();
        const outcome = await trainAll(matrix, options);
        const report =
          outcome.finished.length === 0
            ? undefined
            : // Runs that took hours are reported even where their test sets differ; the page says so.
              await compareRuns({
                out: matrix.out,
                runs: outcome.finished,
                force: true,
                ...(matrix.title !== undefined && { title: matrix.title }),
              });
        tell(outcome, report, file, options);
      });
  },
};

async function trainAll({ members, out }: Matrix, options: Options): Promise<MatrixOutcome> {
  const { mirror } = options;
  using interrupt = new Interrupt();
  return await trainMatrix(members, out, {
    ...trainingProgress(),
    places: weightsPlaces(options),
    openData: (config) => openConfiguredData(config, mirror),
    openWeights: async (config) => {
      const weights = await openStartWeights(config, weightsPlaces(options));
      if (weights !== undefined) announce(weights);
      return weights;
    },
    stopRequested: () => interrupt.requested,
    onFit: (fit) => say(describeFit(fit)),
    onMember: ({ name, state, member }, position, total) => {
      const what = { finished: "is finished", begun: "goes on", new: member.config.model }[state];
      say(`${colors.dim(`[${position}/${total}]`)} ${name}: ${what}`);
    },
    pictures: drawRun,
    onTrained: async ({ summary }) => {
      if (summary.test !== null) say(`  test accuracy ${percent(summary.test.accuracy)}`);
    },
    onFailed: (name, error) => note(`warning: ${name} failed: ${error.message}`),
  });
}

function listMembers({ members, out }: Matrix, { json }: Options): void {
  const placed = placeMembers(members, out);
  if (json) printJson(placed.map(({ name, state, member }) => ({ name, state, ...member.config })));
  else for (const { name, state } of placed) say(`${describeState(state)}  ${name}`);
}

function describeState(state: Placed["state"]): string {
  return { finished: "finished", begun: "begun   ", new: "new     " }[state];
}

function tell(
  { finished, skipped, failed, stopped }: MatrixOutcome,
  report: Comparison | undefined,
  file: string,
  { json }: Options,
): void {
  if (json) {
    printJson({
      finished,
      skipped,
      failed: failed.map(({ name, error }) => ({ name, reason: error.message })),
      ...(stopped !== undefined && { stopped }),
      report: report?.html ?? null,
      findings: report?.findings ?? [],
    });
  } else {
    for (const finding of report?.findings ?? []) process.stdout.write(`- ${finding}\n`);
    if (report !== undefined) say(`open ${relative(process.cwd(), report.html)}`);
  }
  for (const { name, error } of failed) say(`${colors.red("failed:")} ${name}: ${error.message}`);
  if (failed.length > 0) process.exitCode = ExitCode.failed;
  if (stopped === undefined) return;
  say(`${stopped}; go on with: thaw compare ${file}`);
  process.exitCode = ExitCode[stopped];
}

function seeds(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= 1000) return value;
  throw new UsageError(`--seeds: "${text}" given; allowed: a whole number from 1 to 1000`);
}
