import { Conv2d, Linear, observeForward } from "../nn/index.ts";
import { inference, ops, profile, scope, type Tensor } from "../tensor/index.ts";
import type { Classifier } from "./spec.ts";

/**
 * Multiply-adds of one image's forward pass: convolutions, linear layers and attention's products, as
 * fvcore and timm count them; norms, activations and additions are not.
 *
 * @param input Channels, height and width.
 */
export function multiplyAdds(model: Classifier, input: readonly [number, number, number]): number {
  const head = model.head.weight.elements;
  // The counts that are published are of whole features: a vision transformer's forward pass leaves out
  // what its class token does not need of the last block.
  return Math.max(
    countIn(model, input, (x) => model.forward(x)),
    countIn(model, input, (x) => model.features(x)) + head,
  );
}

function countIn(
  model: Classifier,
  input: readonly [number, number, number],
  pass: (x: Tensor) => Tensor,
): number {
  let count = 0;
  const { training } = model;
  model.eval();
  const run = () =>
    scope(() => {
      const image = ops.zeros([1, ...input], { device: model.head.weight.device });
      observeForward(
        model,
        () => void pass(image),
        (module, _input, output) => {
          if (!(module instanceof Conv2d || module instanceof Linear)) return;
          count += (output.elements / module.weight.size(0)) * module.weight.elements;
        },
      );
    });
  const { events } = profile(() => inference(run), { shapes: true });
  model.train(training);
  // Attention's two products are no modules: one operator where libtorch has a fused one, which may be
  // made of the others.
  const fused = events.filter(({ name }) => name === "aten::scaled_dot_product_attention");
  const products = fused.length > 0 ? fused : events.filter(({ name }) => name in firstFactor);
  return products.reduce((sum, { name, shapes }) => sum + productOf(name, parse(shapes)), count);
}

/** Batched products of [B, n, k] and [B, k, m], by which argument the first factor is. */
const firstFactor: Readonly<Record<string, number>> = { "aten::bmm": 0, "aten::baddbmm": 1 };

function productOf(name: string, shapes: readonly (readonly number[])[]): number {
  const first = firstFactor[name] ?? 0;
  const [a, b] = [shapes[first]!, shapes[first + 1]!];
  // Of queries [..., n, d] and keys [..., m, d] scores, and of these and values as many again.
  if (!(name in firstFactor)) return 2 * product(a) * b.at(-2)!;
  return product(a) * b.at(-1)!;
}

const product = (shape: readonly number[]): number => shape.reduce((total, n) => total * n, 1);

/** `float32[1, 2], float32[3]` → [1, 2], [3] */
function parse(shapes: string): number[][] {
  return [...shapes.matchAll(/\[([\d, ]*)\]/g)].map(([, sizes]) =>
    sizes === "" ? [] : sizes!.split(", ").map(Number),
  );
}
