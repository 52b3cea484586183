import { type Difference, holm, type McNemar, mcnemar, pairedBootstrap } from "../metrics/index.ts";
import { sameConfiguration } from "./seeds.ts";
import { type Finished, type Judged, testDifference } from "./test-sets.ts";

/** The best run against another that judged the same images. */
export interface Pair {
  readonly best: Finished;
  readonly other: Finished;
  readonly mcnemar: McNemar;
  /** McNemar's p after Holm's correction for all pairs of the report. */
  readonly p: number;
  readonly isSignificant: boolean;
  /** Best minus other, by the paired bootstrap; only of the first pairs. */
  readonly accuracy: Difference | undefined;
  readonly macroF1: Difference | undefined;
}

/** A person reads no more intervals than these, and each takes a while. */
const BOOTSTRAPS = 12;
const SEED = 1;
const LEVEL = 0.05;

/**
 * Tests the best of ranked runs against every other one that judged the same images, other seeds of its own configuration
 * left out: those differ by chance alone.
 */
export function pairsOf(order: readonly Finished[], judged: Judged): Pair[] {
  const [best, ...rest] = order;
  const first = best && judged.of.get(best);
  if (best === undefined || first === undefined) return [];
  const others = rest.flatMap((other) => {
    const second = judged.of.get(other);
    const isOfUse =
      second !== undefined &&
      !sameConfiguration(best, other) &&
      testDifference(best, other, judged) === undefined;
    return isOfUse ? [{ other, predicted: inOrderOf(best, other, second.predicted) }] : [];
  });
  const tests = others.map(({ predicted }) => {
    let [one, two] = [0, 0];
    first.labels.forEach((label, i) => {
      const isRight = first.predicted[i] === label;
      if (isRight === (predicted[i] === label)) return;
      if (isRight) one++;
      else two++;
    });
    return mcnemar(one, two);
  });
  const adjusted = holm(tests.map(({ p }) => p));
  return others.map(({ other, predicted }, i) => {
    const { labels } = first;
    const pairs = {
      classes: best.summary.classes.length,
      labels,
      first: first.predicted,
      second: predicted,
    };
    const drawn = i < BOOTSTRAPS ? pairedBootstrap(pairs, { seed: SEED }) : undefined;
    return {
      best,
      other,
      mcnemar: tests[i]!,
      p: adjusted[i]!,
      isSignificant: adjusted[i]! < LEVEL,
      accuracy: drawn?.accuracy,
      macroF1: drawn?.macroF1,
    };
  });
}

/** The other run's predictions as numbers of the best run's class list. */
function inOrderOf(best: Finished, other: Finished, predicted: Int32Array): Int32Array {
  const index = other.summary.classes.map((name) => best.summary.classes.indexOf(name));
  return predicted.map((label) => index[label]!);
}
