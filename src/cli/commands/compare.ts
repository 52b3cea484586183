import { relative } from "node:path";
import { ExitCode, ThawError, UsageError } from "../../errors.ts";
import { printableLine } from "../../platform/printable.ts";
import { asBegun, type RecipeOutcome, runRecipe } from "../../recipe/index.ts";
import { describeProfile, drawRun } from "../../report/index.ts";
import { loadMatrix, type Matrix } from "../../run/matrix.ts";
import { type Placed, placeMembers } from "../../run/member-state.ts";
import { openStartWeights } from "../../train/index.ts";
import { describeFit } from "../classical.ts";
import type { CliCommand } from "../command.ts";
import { openConfiguredData } from "../dataset.ts";
import { ensureEngine } from "../engine.ts";
import { Interrupt } from "../interrupt.ts";
import { nameList } from "../name-list.ts";
import { colors, indented, printJson, printText, say } from "../output.ts";
import { counter, note, percent, trainingProgress } from "../progress.ts";
import { openDataOfRun } from "../run-data.ts";
import { describeCheck } from "../sanity-check.ts";
import { announce, mirrorHelp, offlineHelp, type WeightsFlags, weightsPlaces } from "../weights.ts";

interface Options extends WeightsFlags {
  out?: string;
  seeds?: number;
  quick?: true;
  only?: string[];
  dryRun?: true;
  json?: true;
}

export const compare: CliCommand = {
  register(command) {
    command
      .argument(
        "<file>",
        "YAML or JSON: base: with keys of thaw train, matrix: with lists of values; or a recipe",
      )
      .option(
        "--out <folder>",
        "folder of the runs and the report; default runs/<name of the file>",
      )
      .option("--seeds <n>", "train every member with so many seeds", seeds)
      .option("--quick", "the short form that the file has under quick:, in <out>-quick")
      .option(
        "--only <names>",
        "these members alone, by their names or their stand-ins', without seeds",
        nameList,
      )
      .option("--dry-run", "say what would be trained, and train nothing")
      .option("--mirror <folder or url>", mirrorHelp)
      .option("--offline", offlineHelp)
      .option("--json", "print the outcome as JSON")
      .action(async (file: string, options: Options) => {
        const matrix = loadMatrix(file, options);
        if (options.dryRun) return listMembers(matrix, options);
        await ensureEngine();
        tell(await run(matrix, options), file, options);
      });
  },
};

async function run(matrix: Matrix, options: Options): Promise<RecipeOutcome> {
  const { mirror } = options;
  const mirrored = mirror === undefined ? {} : { mirror };
  using interrupt = new Interrupt();
  const rateSteps = counter("learning rates, step");
  const images = counter("learning one batch by heart, image");
  return await runRecipe(matrix, {
    ...trainingProgress(),
    places: weightsPlaces(options),
    openData: (config, dir) =>
      dir === undefined ? openConfiguredData(config, mirror) : openDataOfRun(dir, mirrored),
    openWeights: async (config) => {
      const weights = await openStartWeights(config, weightsPlaces(options));
      if (weights !== undefined) announce(weights);
      return weights;
    },
    signal: interrupt.signal,
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
    events: {
      onPrepared: (folder, count, unchanged) =>
        say(`data: ${count} images in ${folder}${unchanged ? ", as they were" : ""}`),
      onStandIn: (sentence) => note(`warning: ${sentence}`),
      onSearch: (name) => say(`${name}: looking for its learning rate`),
      onRateStep: (step, steps) => rateSteps.draw(step, steps),
      onRate: (name, lr, folder, isKnown) => {
        rateSteps.clear();
        const how = isKnown ? "was found before" : "was found";
        say(`${name}: learning rate ${Number(lr.toPrecision(2))} ${how} (${folder})`);
      },
      onCheck: (name) => say(`${name}: sanity`),
      onCheckStep: (correct, of) => images.draw(correct, of),
      onChecked: (_name, { checks }) => {
        images.clear();
        for (const check of checks) say(describeCheck(check));
      },
      onEvaluate: (name) => say(`${name}: judging the test images`),
      onEvaluated: (_name, accuracy) => say(`  test accuracy ${percent(accuracy)}`),
      onExported: (folder, { files, precision, parity }) => {
        const size = files.reduce((sum, file) => sum + file.bytes, 0);
        say(
          `${folder}: ${(size / 1e6).toFixed(1)} MB in ${precision}, ${percent(parity.agreement)} of ${parity.images} images get the same class`,
        );
      },
      onExportFailed: (name, error) => note(`warning: ${name} was not exported: ${error.message}`),
      onProfile: (mode, models) => say(`profiling ${models.join(", ")} (${mode})`),
      onProfiled: (folder, profile) => say(`${describeProfile(profile)}written to ${folder}`),
    },
  });
}

function listMembers({ members, out }: Matrix, { json }: Options): void {
  const placed = placeMembers(asBegun(members, out), out);
  if (json) printJson(placed.map(({ name, state, member }) => ({ name, state, ...member.config })));
  else for (const { name, state } of placed) say(`${describeState(state)}  ${name}`);
}

function describeState(state: Placed["state"]): string {
  return { finished: "finished", begun: "begun   ", new: "new     " }[state];
}

function tell(
  { finished, evaluated, skipped, failed, stopped, report, notExported }: RecipeOutcome,
  file: string,
  options: Options,
): void {
  const told = notExported.map(({ error, ...one }) => ({ ...one, reason: firstLine(error) }));
  if (options.json) {
    printJson({
      finished,
      evaluated,
      skipped,
      failed: failed.map(({ name, error }) => ({ name, reason: error.message })),
      notExported: told,
      ...(stopped !== undefined && { stopped }),
      report: report?.html ?? null,
      findings: report?.findings ?? [],
    });
  } else {
    for (const finding of report?.findings ?? []) printText(`- ${printableLine(finding)}\n`);
    if (report !== undefined) say(`open ${relative(process.cwd(), report.html)}`);
  }
  for (const { name, error } of failed)
    say(`${colors.red("failed:")} ${name}: ${indented(error.message)}`);
  for (const { run, precision, reason } of told) {
    say(`${colors.red("not exported:")} ${run} (${precision}): ${reason}`);
  }
  // Members often fail for one reason, as all that open the same data.
  const hints = failed.flatMap(({ error }) => (error instanceof ThawError && error.hint) || []);
  for (const hint of new Set(hints)) say(`  ${colors.dim("→")} ${hint}`);
  process.exitCode = exitCodeOf({ failed, notExported, ...(stopped && { stopped }) });
  if (stopped !== undefined) say(`${stopped}; go on with: ${commandOf(file, options)}`);
}

/** A gate's where nothing failed but exports that a check refused. */
export function exitCodeOf({
  failed,
  notExported,
  stopped,
}: Pick<RecipeOutcome, "failed" | "notExported" | "stopped">): ExitCode {
  if (stopped !== undefined) return ExitCode[stopped];
  const isGate = ({ error }: (typeof notExported)[number]) =>
    error instanceof ThawError && error.exitCode === ExitCode.gate;
  if (failed.length > 0 || !notExported.every(isGate)) return ExitCode.failed;
  return notExported.length > 0 ? ExitCode.gate : ExitCode.done;
}

function firstLine({ message }: Error): string {
  return message.split("\n")[0]!;
}

/** The same call again. */
function commandOf(
  file: string,
  { quick, out, seeds: count, only, mirror, offline }: Options,
): string {
  const words = [
    ...["thaw", "compare", file],
    ...(quick ? ["--quick"] : []),
    ...(out === undefined ? [] : ["--out", out]),
    ...(count === undefined ? [] : ["--seeds", String(count)]),
    ...(only === undefined ? [] : ["--only", only.join(",")]),
    ...(mirror === undefined ? [] : ["--mirror", mirror]),
    ...(offline ? ["--offline"] : []),
  ];
  return words
    .map((word) => (/^[\w./:,@=+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(" ");
}

function seeds(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= 1000) return value;
  throw new UsageError(`--seeds: "${text}" given; allowed: a whole number from 1 to 1000`);
}
