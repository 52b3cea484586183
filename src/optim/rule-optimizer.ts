import { ThawError } from "../errors.ts";
import { clearGrads, gradsOf, noGrad, ops, scope, type Tensor, unscoped } from "../tensor/index.ts";
import { checked } from "./checked.ts";
import { fusedOperator, sameDenseLayouts } from "./fused.ts";
import {
  type GroupOptions,
  type Optimizer,
  type OptimizerKind,
  type ParameterGroup,
  resolveGroups,
} from "./optimizer.ts";
import type { Due, UpdateRule } from "./rule.ts";

interface ParameterState {
  readonly buffers: readonly Tensor[];
  step: number;
}

/** An optimizer that has its mathematics from a rule. */
export class RuleOptimizer implements Optimizer {
  readonly groups: readonly ParameterGroup[];
  readonly #rule: UpdateRule;
  /** By the parameter's name. */
  readonly #states = new Map<string, ParameterState>();

  /** @throws ThawError where a group's values, names or parameters cannot be. */
  constructor(
    rule: UpdateRule,
    groups: readonly GroupOptions[],
    defaults: { readonly lr: number; readonly weightDecay: number },
  ) {
    this.#rule = rule;
    this.groups = resolveGroups(groups, defaults);
  }

  get kind(): OptimizerKind {
    return this.#rule.kind;
  }

  step(): void {
    for (const { name, lr } of this.groups) {
      checked(`the learning rate of ${name}`, lr, { atLeast: 0 });
    }
    noGrad(() => {
      for (const group of this.groups) scope(() => this.#update(group));
    });
  }

  #update(group: ParameterGroup): void {
    const due = this.#due(group);
    const device = due[0]?.parameter.device;
    const operator = device && fusedOperator(this.#rule.fused.operator, device);
    const fused = new Set(operator && fusable(due, this.#rule.buffers.length));
    if (operator && fused.size > 0) this.#rule.fused.update(operator, [...fused], group);
    for (const one of due) if (!fused.has(one)) scope(() => this.#rule.update(one, group));
  }

  #due(group: ParameterGroup): Due[] {
    const gradients = gradsOf(group.parameters);
    return group.parameters.flatMap((parameter, i) => {
      const gradient = gradients[i]!;
      if (gradient === null) return [];
      const state = this.#stateOf(group.parameterNames[i]!, parameter);
      state.step++;
      return [{ parameter, gradient, buffers: state.buffers, step: state.step }];
    });
  }

  #stateOf(name: string, parameter: Tensor): ParameterState {
    let state = this.#states.get(name);
    if (state === undefined) {
      const zeros = () => this.#rule.buffers.map(() => ops.zerosLike(parameter));
      state = { buffers: unscoped(zeros), step: 0 };
      this.#states.set(name, state);
    }
    return state;
  }

  zeroGrad(): void {
    for (const group of this.groups) clearGrads(group.parameters);
  }

  state(): Map<string, Tensor> {
    const entries = [...this.#states].flatMap(([name, { buffers }]) =>
      buffers.map((buffer, i): [string, Tensor] => [`${name}.${this.#rule.buffers[i]}`, buffer]),
    );
    return new Map(entries);
  }

  get steps(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#states].map(([name, { step }]) => [name, step]));
  }

  loadState(state: ReadonlyMap<string, Tensor>, steps: Readonly<Record<string, number>>): void {
    const problems = this.#misfits(state, steps);
    if (problems.length > 0) {
      const shown = problems.slice(0, 8).join("\n  ");
      const rest = problems.length > 8 ? `\n  and ${problems.length - 8} more` : "";
      throw new ThawError(`the saved state does not fit this ${this.kind}:\n  ${shown}${rest}`, {
        hint: "it was saved with another optimizer or for other parameters",
      });
    }
    this[Symbol.dispose]();
    noGrad(() => {
      for (const [name, parameter] of this.#named()) {
        const step = steps[name];
        if (step === undefined) continue;
        const own = this.#stateOf(name, parameter);
        own.step = step;
        for (const [i, buffer] of own.buffers.entries()) {
          ops.copy_(buffer, state.get(`${name}.${this.#rule.buffers[i]}`)!);
        }
      }
    });
  }

  /** Each in words; empty if the state can be loaded. */
  #misfits(state: ReadonlyMap<string, Tensor>, steps: Readonly<Record<string, number>>): string[] {
    const parameters = new Map(this.#named());
    const wanted = Object.keys(steps).flatMap((name) =>
      this.#rule.buffers.map((buffer): [string, Tensor | undefined] => [
        `${name}.${buffer}`,
        parameters.get(name),
      ]),
    );
    const known = new Set(wanted.map(([key]) => key));
    return [
      ...Object.entries(steps).flatMap(([name, step]) => [
        ...(parameters.has(name) ? [] : [`${name}: no such parameter`]),
        ...(Number.isSafeInteger(step) && step >= 1 ? [] : [`${name}: ${step} steps`]),
      ]),
      ...[...state.keys()].filter((key) => !known.has(key)).map((key) => `${key}: left over`),
      ...wanted.flatMap(([key, parameter]) => {
        const tensor = state.get(key);
        if (tensor === undefined) return [`${key}: missing`];
        if (parameter === undefined || describe(tensor) === describe(parameter)) return [];
        return [`${key}: ${describe(tensor)} for a parameter of ${describe(parameter)}`];
      }),
    ];
  }

  #named(): [string, Tensor][] {
    return this.groups.flatMap(({ parameters, parameterNames }) =>
      parameters.map((parameter, i): [string, Tensor] => [parameterNames[i]!, parameter]),
    );
  }

  /** Frees the state; the next step starts afresh. */
  [Symbol.dispose](): void {
    for (const { buffers } of this.#states.values()) for (const buffer of buffers) buffer.dispose();
    this.#states.clear();
  }
}

function describe({ dtype, shape }: Tensor): string {
  return `${dtype} [${shape.join(", ")}]`;
}

/** Those that fused kernels take. */
function fusable(due: readonly Due[], buffers: number): Due[] {
  const layouts = sameDenseLayouts([
    due.map(({ parameter }) => parameter),
    due.map(({ gradient }) => gradient),
    ...Array.from({ length: buffers }, (_, i) => due.map((one) => one.buffers[i]!)),
  ]);
  return due.filter(({ parameter }, i) => parameter.dtype === "float32" && layouts[i]);
}
