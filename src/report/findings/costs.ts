import { evaluationIn } from "../../run/evaluation.ts";
import { bytes, count, duration, times } from "../format.ts";
import type { Finished } from "../test-sets.ts";

/** What the best run costs against the others, in time and size. */
export function costs(order: readonly Finished[]): string[] {
  const [best, ...rest] = order;
  if (best === undefined || rest.length === 0) return [];
  const notes: string[] = [];
  const seconds = (run: Finished) => run.summary.seconds.train;
  const fastest = order.reduce((a, b) => (seconds(b) < seconds(a) ? b : a));
  const gap = (run: Finished) =>
    `${(100 * (best.summary.test.accuracy - run.summary.test.accuracy)).toFixed(2)} points of accuracy`;
  if (fastest === best) {
    notes.push(`${best.name} is also the fastest to train: ${duration(seconds(best))}.`);
  } else if (seconds(fastest) > 0) {
    notes.push(
      `${fastest.name} trained fastest, in ${duration(seconds(fastest))}; ${best.name} took ${duration(seconds(best))} (${times(seconds(best) / seconds(fastest))} times as long) for ${gap(fastest)}.`,
    );
  }
  const size = (run: Finished) => run.summary.parameters;
  const smallest = order.reduce((a, b) => (size(b) < size(a) ? b : a));
  if (size(smallest) > 0 && size(smallest) < size(best)) {
    notes.push(
      `${smallest.name} is the smallest with ${count(size(smallest))} parameters; ${best.name} has ${count(size(best))} (${times(size(best) / size(smallest))} times as many) for ${gap(smallest)}.`,
    );
  }
  // Of what only judges other runs it is that of judging.
  const memory = ({ config, summary }: Finished) =>
    (evaluationIn(config) ? null : summary.peakMemoryBytes) ?? Number.POSITIVE_INFINITY;
  const lightest = order.reduce((a, b) => (memory(b) < memory(a) ? b : a));
  const most = memory(best);
  if (Number.isFinite(most) && memory(lightest) > 0 && most / memory(lightest) >= 1.1) {
    notes.push(
      `${lightest.name} needed the least memory, ${bytes(memory(lightest))} at its peak; ${best.name} ${bytes(most)} (${times(most / memory(lightest))} times as much).`,
    );
  }
  const { parameters, trainableParameters } = best.summary;
  if (trainableParameters < parameters) {
    notes.push(
      `Of the ${count(parameters)} parameters of ${best.name}, ${count(trainableParameters)} were trained.`,
    );
  }
  return notes;
}
