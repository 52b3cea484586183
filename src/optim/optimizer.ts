import { ThawError } from "../errors.ts";
import type { Tensor } from "../tensor/index.ts";
import { checked } from "./checked.ts";

export type OptimizerKind = "sgd" | "adam" | "adamw";

/** Parameters that share a learning rate and a weight decay. */
export interface ParameterGroup {
  readonly name: string;
  readonly parameters: readonly Tensor[];
  /** What the state of each parameter is saved under. */
  readonly parameterNames: readonly string[];
  /** In force: the next step uses it as it is. Schedules set it by {@link setLearningRate}. */
  lr: number;
  /** The group's share of the optimizer's learning rate, as in layer-wise decay. */
  readonly lrScale: number;
  readonly weightDecay: number;
}

/** What a group is made from; left out are the optimizer's own weight decay and a scale of 1. */
export interface GroupOptions {
  readonly name?: string;
  readonly parameters: readonly Tensor[];
  /** One a parameter; without them the position over all groups is the name: "0", "1", … */
  readonly parameterNames?: readonly string[];
  readonly lrScale?: number;
  readonly weightDecay?: number;
}

/**
 * Changes parameters in place by their gradients. A parameter without a gradient is skipped and gets
 * no state, as in PyTorch. State lives outside all scopes until the optimizer is disposed.
 */
export interface Optimizer extends Disposable {
  readonly kind: OptimizerKind;
  readonly groups: readonly ParameterGroup[];
  /**
   * One step with each group's `lr`.
   * @throws ThawError, before anything is changed, where an `lr` is negative or not finite.
   */
  step(): void;
  /** Lets the gradients go (`zero_grad(set_to_none=True)`). */
  zeroGrad(): void;
  /** The state itself and no copy, as `fc.weight.exp_avg`: the next step changes it. */
  state(): Map<string, Tensor>;
  /** How many steps each parameter has taken, by its name; those without any are left out. */
  readonly steps: Readonly<Record<string, number>>;
  /**
   * Takes over (copies) what `state()` and `steps` gave.
   * @throws ThawError listing what does not fit the parameters; nothing is changed then.
   */
  loadState(state: ReadonlyMap<string, Tensor>, steps: Readonly<Record<string, number>>): void;
}

/** Sets every group's rate in force: `rate` (base rate times the schedule's factor) times its scale. */
export function setLearningRate(optimizer: Pick<Optimizer, "groups">, rate: number): void {
  checked("the learning rate", rate, { atLeast: 0 });
  for (const group of optimizer.groups) group.lr = rate * group.lrScale;
}

/** Fills the defaults in. @throws ThawError where a value, a name or a parameter cannot be. */
export function resolveGroups(
  groups: readonly GroupOptions[],
  defaults: { readonly lr: number; readonly weightDecay: number },
): ParameterGroup[] {
  const lr = checked("the learning rate", defaults.lr, { atLeast: 0 });
  let position = 0;
  const resolved = groups.map((group, index): ParameterGroup => {
    const name = group.name ?? `group ${index}`;
    const { parameters, lrScale = 1, weightDecay = defaults.weightDecay } = group;
    const parameterNames = group.parameterNames ?? parameters.map((_, i) => `${position + i}`);
    position += parameters.length;
    if (parameterNames.length !== parameters.length) {
      throw new ThawError(
        `${name}: ${parameterNames.length} names for ${parameters.length} parameters`,
      );
    }
    checked(`${name}: the learning rate's scale`, lrScale, { atLeast: 0 });
    checked(`${name}: the weight decay`, weightDecay, { atLeast: 0 });
    return { name, parameters, parameterNames, lr: lr * lrScale, lrScale, weightDecay };
  });
  checkParameters(resolved);
  return resolved;
}

function checkParameters(groups: readonly ParameterGroup[]): void {
  const nameOf = new Map<number, string>();
  const names = new Set<string>();
  for (const group of groups) {
    for (const [i, parameter] of group.parameters.entries()) {
      const name = group.parameterNames[i]!;
      const first = nameOf.get(parameter.handle);
      if (first !== undefined) {
        throw new ThawError(`the optimizer was given a parameter twice: ${first} and ${name}`, {
          hint: "a parameter that two modules share belongs into one group, once",
        });
      }
      if (names.has(name)) {
        throw new ThawError(`two of the optimizer's parameters have the name ${name}`, {
          hint: "state is saved under the names; give either all groups names or none",
        });
      }
      nameOf.set(parameter.handle, name);
      names.add(name);
    }
  }
  if (names.size === 0) {
    throw new ThawError("the optimizer was given no parameters", {
      hint: "a model that is frozen as a whole has nothing to train",
    });
  }
}
