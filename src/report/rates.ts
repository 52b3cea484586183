import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { canonicalJson } from "../run/config.ts";
import { lrFindSchema } from "../run/lr-find.ts";
import { list } from "./format.ts";
import type { Finished } from "./test-sets.ts";

/** A rate this many times above or below the suggested one is another experiment. */
const FAR = 10;
/** As many times more rates tried is an advantage of its own. */
const MANY = 3;

/** Which learning rates make the comparison unfair, and by what that is seen. */
export function unfairRates(order: readonly Finished[]): string[] {
  const trained = order.filter((run) => rateOf(run) !== undefined);
  return [...searches(trained), ...sameForAll(trained), ...farFromFound(trained)];
}

function searches(runs: readonly Finished[]): string[] {
  const tried = new Map<string, Set<number>>();
  for (const run of runs) {
    const key = `${run.summary.model} (${run.summary.strategy})`;
    tried.set(key, (tried.get(key) ?? new Set()).add(rateOf(run)!));
  }
  const most = [...tried].reduce<[string, number]>(
    (best, [key, { size }]) => (size > best[1] ? [key, size] : best),
    ["", 0],
  );
  const few = [...tried].filter(([, { size }]) => size * MANY <= most[1]);
  if (few.length === 0) return [];
  const named = few.map(([key, { size }]) => `${key} with ${size === 1 ? "one" : size}`);
  return [
    `Unfair: ${most[0]} was tried with ${most[1]} learning rates, ${list(named)}; what was tried less may only have met a wrong one.`,
  ];
}

/** Whole fine-tuning destroys its weights at a rate that training from scratch, or of a head alone, needs. */
function sameForAll(runs: readonly Finished[]): string[] {
  const of = (strategy: string) => runs.filter((run) => run.summary.strategy === strategy);
  const key = (run: Finished) => `${run.config["opt"]} ${rateOf(run)}`;
  const full = of("full");
  const rates = new Set(full.map(key));
  // With several rates tried, the better one shows by itself.
  if (rates.size !== 1) return [];
  return (["scratch", "freeze"] as const).flatMap((strategy) => {
    const others = of(strategy).filter((run) => rates.has(key(run)));
    if (others.length === 0) return [];
    const what = strategy === "scratch" ? "training from scratch" : "training the head alone";
    const names = (group: readonly Finished[]) => list(group.map((run) => run.name));
    return [
      `Unfair: ${what} (${names(others)}) and fine-tuning all (${names(full)}) had the same learning rate ${rateOf(full[0]!)}; fine-tuning usually wants a far lower one.`,
    ];
  });
}

function farFromFound(runs: readonly Finished[]): string[] {
  return runs.flatMap((run) => {
    const found = suggestionFor(run);
    const lr = rateOf(run)!;
    if (found === undefined || (lr < FAR * found && lr * FAR > found)) return [];
    const ratio =
      lr > found
        ? `${Number((lr / found).toPrecision(2))} times`
        : `1/${Number((found / lr).toPrecision(2))} of`;
    return [
      `Unfair to ${run.name}: its learning rate ${lr} is ${ratio} what thaw lr-find suggested (${Number(found.toPrecision(2))}).`,
    ];
  });
}

/** From the results that lie beside the run, `lr-find/<name>/lr-find.json`; one that cannot be read says nothing. */
function suggestionFor({ dir, config }: Finished): number | undefined {
  const folder = join(dirname(dir), "lr-find");
  if (!existsSync(folder)) return undefined;
  for (const name of readdirSync(folder)) {
    try {
      const text = readFileSync(join(folder, name, "lr-find.json"), "utf8");
      const { subject, suggestion } = lrFindSchema.parse(JSON.parse(text));
      const isOfRun = Object.entries(subject).every(
        ([key, value]) => canonicalJson(config[key]) === canonicalJson(value),
      );
      if (isOfRun) return suggestion.lr;
    } catch {
      // It only advises.
    }
  }
  return undefined;
}

function rateOf({ config }: Finished): number | undefined {
  return typeof config["lr"] === "number" ? config["lr"] : undefined;
}
