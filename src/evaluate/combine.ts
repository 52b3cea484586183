import type { Predictions } from "../metrics/index.ts";
import { predictions } from "../metrics/index.ts";
import type { Vote } from "../run/evaluation.ts";

/**
 * What members say together of the same images; their classes are in the same order. Soft: the mean of the
 * probabilities. Hard: the shares of the votes; of classes with equally many the one with the higher mean probability
 * wins.
 */
export function combine(members: readonly Predictions[], vote: Vote): Predictions {
  const [{ labels, classes, count }] = members as [Predictions, ...Predictions[]];
  const mean = average(members.map(({ probabilities }) => probabilities));
  if (vote === "soft") return predictions(mean, labels, classes);
  const shares = new Float32Array(count * classes);
  for (const { predicted } of members) {
    for (let i = 0; i < count; i++) shares[i * classes + predicted[i]!]! += 1 / members.length;
  }
  const votes = predictions(shares, labels, classes);
  const predicted = votes.predicted.map((_, i) => {
    let best = 0;
    for (let c = 1; c < classes; c++) {
      const [own, other] = [i * classes + c, i * classes + best];
      // Shares of equally many votes differ by the order in which they were added.
      const more = Math.round((shares[own]! - shares[other]!) * members.length);
      if (more > 0 || (more === 0 && mean[own]! > mean[other]!)) best = c;
    }
    return best;
  });
  return { ...votes, predicted };
}

function average(parts: readonly Float32Array[]): Float32Array {
  return parts[0]!.map((_, i) => parts.reduce((sum, part) => sum + part[i]!, 0) / parts.length);
}

/** The same predictions with the classes of `from` in the order of `to`. Both hold the same names. */
export function reorder(
  said: Predictions,
  from: readonly string[],
  to: readonly string[],
): Predictions {
  if (from.every((name, c) => name === to[c])) return said;
  const { count, classes, probabilities } = said;
  const column = to.map((name) => from.indexOf(name));
  const moved = new Float32Array(count * classes);
  for (let i = 0; i < count; i++) {
    for (let c = 0; c < classes; c++) {
      moved[i * classes + c] = probabilities[i * classes + column[c]!]!;
    }
  }
  const labels = said.labels.map((label) => to.indexOf(from[label]!));
  return predictions(moved, labels, classes);
}
