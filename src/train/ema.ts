import type { Classifier } from "../models/index.ts";
import { Parameter } from "../nn/index.ts";
import { noGrad, ops, scope, type Tensor } from "../tensor/index.ts";

/**
 * A moving average of everything in a model's state dict, batch norms' statistics included, from the
 * weights that training starts with: e ← decay · e + (1 − decay) · m after every update. Whole numbers,
 * as the batches that a norm has seen, are cut off after the comma. timm's `ModelEmaV2`.
 */
export class ModelEma implements Disposable {
  /** In evaluation mode; what is validated and kept. */
  readonly model: Classifier;
  readonly decay: number;

  /** @param copy A model of the same kind, used up; `set` gives it its values. */
  constructor(copy: Classifier, decay: number) {
    this.model = copy.eval();
    this.decay = decay;
    for (const parameter of copy.parameters()) parameter.requiresGrad = false;
  }

  /** Starts the average anew. */
  set(model: Classifier): void {
    this.model.loadStateDict(model.stateDict());
  }

  update(model: Classifier): void {
    const { decay } = this;
    const pairs = this.#pairsWith(model);
    const floats = pairs.filter(([own]) => own.dtype.includes("float"));
    const whole = pairs.filter(([own]) => !own.dtype.includes("float"));
    noGrad(() =>
      scope(() => {
        const average = floats.map(([own]) => own);
        ops.foreachMul_Scalar(average, decay);
        const alpha = 1 - decay;
        ops.foreachAdd_List(
          average,
          floats.map(([, other]) => other),
          { alpha },
        );
        for (const [own, other] of whole) {
          ops.copy_(own, ops.add(ops.mulScalar(own, decay), ops.mulScalar(other, alpha)));
        }
      }),
    );
  }

  /** But for what is frozen, which the average has as it is. */
  #pairsWith(model: Classifier): [Tensor, Tensor][] {
    const modules = model.namedModules().map(([, module]) => module);
    const still = new Set<unknown>(
      modules.filter(({ frozen }) => frozen).flatMap((module) => Object.values(module)),
    );
    const others = model.stateDict();
    return [...this.model.stateDict()].flatMap(([name, own]): [Tensor, Tensor][] => {
      const other = others.get(name)!;
      const stays = still.has(other) || (other instanceof Parameter && !other.requiresGrad);
      return stays ? [] : [[own, other]];
    });
  }

  [Symbol.dispose](): void {
    this.model[Symbol.dispose]();
  }
}
