import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { writeDurably } from "../platform/durable.ts";
import { jsonFile } from "./json-file.ts";

const subject = z.object({ model: z.string(), strategy: z.string() });

const comparisonSchema = z.looseObject({
  version: z.literal(1),
  /** Members that are trained in the place of others, whose published weights could not be had. */
  standIns: z.array(
    z.object({
      run: z.string(),
      wanted: subject.extend({ weights: z.string() }),
      /** One line. */
      reason: z.string(),
      /** Weights null: from random ones. */
      standIn: subject.extend({ weights: z.string().nullable() }),
    }),
  ),
  /** Learning rates that the range test found. */
  rates: z.array(subject.extend({ opt: z.string(), lr: z.number(), runs: z.array(z.string()) })),
  /** Members without a finished run, and evaluations without a result. */
  failed: z.array(z.object({ run: z.string(), reason: z.string() })),
  exports: z.array(
    z.object({
      run: z.string(),
      precision: z.enum(["fp32", "fp16", "int8"]),
      opset: z.number(),
      bytes: z.number(),
      /** Share of images that get the same class as from the model. */
      agreement: z.number(),
    }),
  ),
  /** Exports that failed. */
  notExported: z.array(z.object({ run: z.string(), precision: z.string(), reason: z.string() })),
});
/** What a comparison did beside the runs: `comparison.json` beside them. */
export type ComparisonRecord = z.output<typeof comparisonSchema>;
export type StandIn = ComparisonRecord["standIns"][number];

const FILE = "comparison.json";

export function writeComparison(out: string, record: ComparisonRecord): void {
  mkdirSync(out, { recursive: true });
  writeDurably(join(out, FILE), `${JSON.stringify(record, null, 2)}\n`);
}

/** Undefined where there is none, or none that can be read: it stands beside the runs and must not hide them. */
export function readComparison(out: string): ComparisonRecord | undefined {
  return comparisonSchema.safeParse(jsonFile(join(out, FILE))).data;
}

/** What a call came to. */
export interface Reach {
  /** Runs that it placed, and names of members whose place another took. */
  readonly placed: ReadonlySet<string>;
  /** What it finished, found finished or failed in, and what is no member any more. */
  readonly isSettled: (run: string) => boolean;
  /** Weights that it looked for. */
  readonly wanted: readonly StandIn["wanted"][];
}

/**
 * What an earlier call recorded, with what this one has done in its place: entries of other runs stay, as the files beside
 * them do.
 */
export function mergeComparisons(
  before: ComparisonRecord | undefined,
  now: ComparisonRecord,
  { placed, isSettled, wanted }: Reach,
): ComparisonRecord {
  if (before === undefined) return now;
  const rates = before.rates.flatMap((rate) => {
    const runs = rate.runs.filter((run) => !placed.has(run));
    return runs.length === 0 ? [] : [{ ...rate, runs }];
  });
  const keyOf = ({ model, strategy, opt, lr }: (typeof rates)[number]) =>
    JSON.stringify([model, strategy, opt, lr]);
  for (const rate of now.rates) {
    const at = rates.findIndex((other) => keyOf(other) === keyOf(rate));
    if (at === -1) rates.push(rate);
    else rates[at] = { ...rate, runs: [...rates[at]!.runs, ...rate.runs] };
  }
  const made = new Set(
    [...now.exports, ...now.notExported].map(({ run, precision }) => `${run} ${precision}`),
  );
  const isKept = ({ run, precision }: { readonly run: string; readonly precision: string }) =>
    !made.has(`${run} ${precision}`);
  // A run may stand in for several members, of which this call had one.
  const isSought = (one: StandIn["wanted"]) =>
    wanted.some((w) =>
      isDeepStrictEqual([w.model, w.strategy, w.weights], [one.model, one.strategy, one.weights]),
    );
  const standIns = before.standIns.filter((one) => !(placed.has(one.run) && isSought(one.wanted)));
  return {
    ...before,
    ...now,
    standIns: [...standIns, ...now.standIns],
    rates,
    failed: [...before.failed.filter(({ run }) => !isSettled(run)), ...now.failed],
    exports: [...before.exports.filter(isKept), ...now.exports],
    notExported: [...before.notExported.filter(isKept), ...now.notExported],
  };
}

/** "vit_small_patch16_224: its weights … could not be had (…); deit_tiny_patch16_224 stands in", once for all runs of it. */
export function standInSentences(standIns: readonly StandIn[]): string[] {
  const all = standIns.map(({ wanted, reason, standIn }) => {
    const strategies = standIns
      .filter(
        (other) => other.wanted.model === wanted.model && other.standIn.model === standIn.model,
      )
      .map((other) => other.standIn.strategy);
    const frozen = ["freeze", "partial", "gradual"].filter((name) => strategies.includes(name));
    const by =
      standIn.weights !== null
        ? `${standIn.model} with ${standIn.weights} stands in.`
        : `${standIn.model === wanted.model ? "it" : standIn.model} starts from random weights instead` +
          (frozen.length === 0
            ? "."
            : `: what ${frozen.join(" and ")} keep${frozen.length === 1 ? "s" : ""} frozen of it has learned nothing, and such a run says little.`);
    return `${wanted.model}: its weights ${wanted.weights} could not be had (${reason}); ${by}`;
  });
  return [...new Set(all)];
}
