import type { Tensor } from "../tensor/index.ts";
import { checked } from "./checked.ts";
import type { GroupOptions } from "./optimizer.ts";

export interface GroupingOptions {
  /** Spare biases and the weights of normalisation layers, told by having one dimension; false. */
  readonly spareNormsAndBiases?: boolean;
  /** A parameter's share of the learning rate, by its name; 1 for all. */
  readonly lrScale?: (name: string) => number;
}

/**
 * Groups of named parameters (`module.namedParameters()`) with equal learning-rate scale and weight
 * decay. Groups stand in the order of their first parameter, parameters in theirs; state is saved
 * under the names. A spared group has weight decay 0, the others the optimizer's.
 * @throws ThawError where a scale is negative or not finite.
 */
export function parameterGroups(
  named: Iterable<readonly [string, Tensor]>,
  options: GroupingOptions = {},
): GroupOptions[] {
  const groups = new Map<string, Building>();
  for (const [parameterName, parameter] of named) {
    const lrScale = options.lrScale?.(parameterName) ?? 1;
    checked(`${parameterName}: the learning rate's scale`, lrScale, { atLeast: 0 });
    const spared = (options.spareNormsAndBiases ?? false) && parameter.shape.length <= 1;
    const name = `${spared ? "no decay" : "decay"}, lr × ${lrScale}`;
    const group = groups.get(name) ?? { name, lrScale, spared, parameterNames: [], parameters: [] };
    groups.set(name, group);
    group.parameterNames.push(parameterName);
    group.parameters.push(parameter);
  }
  return [...groups.values()].map(({ spared, ...group }) =>
    spared ? { ...group, weightDecay: 0 } : group,
  );
}

interface Building {
  readonly name: string;
  readonly lrScale: number;
  readonly spared: boolean;
  readonly parameterNames: string[];
  readonly parameters: Tensor[];
}
