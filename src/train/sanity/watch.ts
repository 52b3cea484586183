import { type Classifier, stageParameters } from "../../models/index.ts";
import type { Buffer, Parameter } from "../../nn/index.ts";
import type { Optimizer } from "../../optim/index.ts";
import { inference, noGrad, ops, scope, type Tensor, unscoped } from "../../tensor/index.ts";

type Named = readonly (readonly [string, Tensor])[];

/** Parameters and buffers of a model by whether their stage trains. */
export function divide(
  model: Classifier,
  trainedStages: readonly string[],
): { readonly trained: Named; readonly frozen: Named } {
  const trains = new Set(trainedStages);
  const parameters = new Set<Tensor>();
  const held = new Set<Tensor>();
  for (const stage of model.stages) {
    if (trains.has(stage.name)) {
      for (const parameter of stageParameters(stage)) parameters.add(parameter);
      continue;
    }
    for (const parameter of stageParameters(stage)) held.add(parameter);
    for (const module of stage.modules) {
      for (const buffer of module.stateDict().values()) held.add(buffer);
    }
  }
  const all: [string, Parameter | Buffer][] = [...model.stateDict()];
  return {
    trained: all.filter(([, tensor]) => parameters.has(tensor)),
    frozen: all.filter(([, tensor]) => held.has(tensor)),
  };
}

/** What became of the gradient of a parameter over some steps. */
export type GradientFate = "none" | "zero" | "not finite";

/** An optimizer that looks at the gradients before each step of another. */
export class GradientWatch implements Optimizer {
  readonly kind: Optimizer["kind"];
  readonly groups: Optimizer["groups"];
  readonly #of: Optimizer;
  readonly #silent: Map<string, GradientFate>;
  readonly #trained: Named;

  constructor(of: Optimizer, trained: Named) {
    this.#of = of;
    this.kind = of.kind;
    this.groups = of.groups;
    this.#trained = trained;
    this.#silent = new Map(trained.map(([name]) => [name, "none"]));
  }

  /** Parameters that had no gradient to move by in any step so far, or one that is no number. */
  get silent(): ReadonlyMap<string, GradientFate> {
    return this.#silent;
  }

  step(): void {
    const gradients = this.#trained.flatMap(([name, parameter]) => {
      const grad = this.#silent.has(name) ? parameter.grad : null;
      return grad === null ? [] : [{ name, grad }];
    });
    const sizes = largest(gradients.map(({ grad }) => grad));
    for (const [i, { name, grad }] of gradients.entries()) {
      grad.dispose();
      if (sizes[i] === 0) this.#silent.set(name, "zero");
      else if (Number.isFinite(sizes[i])) this.#silent.delete(name);
      else this.#silent.set(name, "not finite");
    }
    this.#of.step();
  }

  zeroGrad(): void {
    this.#of.zeroGrad();
  }

  state(): Map<string, Tensor> {
    return this.#of.state();
  }

  get steps(): Optimizer["steps"] {
    return this.#of.steps;
  }

  loadState(...given: Parameters<Optimizer["loadState"]>): void {
    this.#of.loadState(...given);
  }

  [Symbol.dispose](): void {
    this.#of[Symbol.dispose]();
  }
}

/** The largest size of an element, of each tensor. */
function largest(tensors: readonly Tensor[]): ArrayLike<number> {
  if (tensors.length === 0) return [];
  return inference(() =>
    scope(() => {
      const norms = ops.foreachNormScalar(tensors, { ord: Number.POSITIVE_INFINITY });
      return ops.toDtype(ops.stack(norms), "float32").toArray("float32");
    }),
  );
}

/** Copies of tensors, to see later which have changed. */
export class Snapshot implements Disposable {
  readonly #copies: readonly { name: string; tensor: Tensor; copy: Tensor }[];

  constructor(named: Named) {
    this.#copies = noGrad(() =>
      unscoped(() => named.map(([name, tensor]) => ({ name, tensor, copy: ops.clone(tensor) }))),
    );
  }

  get size(): number {
    return this.#copies.length;
  }

  /** Names of those that are no longer what they were, to the bit. */
  changed(): string[] {
    return this.#copies
      .filter(({ tensor, copy }) => !ops.equal(tensor, copy))
      .map(({ name }) => name);
  }

  [Symbol.dispose](): void {
    for (const { copy } of this.#copies) copy.dispose();
  }
}
