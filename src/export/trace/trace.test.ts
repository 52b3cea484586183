import { describe, expect, it } from "vitest";
import { expectNoLeaks } from "../../../test/support/no-leaks.ts";
import { ThawError } from "../../errors.ts";
import { Linear, Module, ReLU, Sequential } from "../../nn/index.ts";
import { Generator, ops, scope, type Tensor } from "../../tensor/index.ts";
import { lower } from "../lower/lower.ts";
import { traceForward } from "./symbolic.ts";

expectNoLeaks();

class Step extends Module {
  readonly #step: (x: Tensor) => Tensor;

  constructor(step: (x: Tensor) => Tensor) {
    super();
    this.#step = step;
  }

  forward(x: Tensor): Tensor {
    return scope(() => this.#step(x));
  }
}

/** Operators of the graph of one step, for images of 6 values. */
function graphOf(step: (x: Tensor) => Tensor): string[] {
  const model = new Sequential(new ReLU(), new Step(step));
  return lower(traceForward(model, (x) => model.forward(x), [6])).nodes.map(({ op }) => op);
}

const failure = (step: (x: Tensor) => Tensor): ThawError => {
  try {
    graphOf(step);
  } catch (error) {
    expect(error).toBeInstanceOf(ThawError);
    return error as ThawError;
  }
  throw new Error("nothing was thrown");
};

describe("a traced forward pass", () => {
  it("names an operator without ONNX form, and the module that it is called in", () => {
    const { message } = failure((x) => ops.cumsum(x, 1));
    expect(message).toBe("1: the operator cumsum has no ONNX form here: nobody has written it");
  });

  it("leaves out what the answer does not need, whether it has an ONNX form or not", () => {
    expect(
      graphOf((x) => {
        ops.cumsum(x, 1);
        return ops.sigmoid(x);
      }),
    ).toEqual(["Relu", "Sigmoid"]);
  });

  it("has what does not depend on the images as constants", () => {
    const folded = graphOf((x) => {
      const weights = ops.softmax(ops.mulScalar(ops.ones([6]), 3), 0);
      return ops.mul(x, ops.sqrt(weights));
    });
    expect(folded).toEqual(["Relu", "Mul"]);
  });

  it("follows a write through a view to what was viewed", () => {
    const used = graphOf((x) => {
      const y = ops.mulScalar(x, 2);
      ops.add_(ops.view(y, [-1, 2, 3]), ops.ones([3]));
      return ops.sigmoid(y);
    });
    expect(used).toEqual(["Relu", "Mul", "Reshape", "Add", "Reshape", "Sigmoid"]);
  });

  it("refuses to read what was written to in another order", () => {
    const { message } = failure((x) => {
      const y = ops.mulScalar(x, 2);
      ops.add_Scalar(ops.narrow(y, 1, 0, 2), 1);
      return ops.sigmoid(y);
    });
    expect(message).toContain(
      "1: sigmoid reads a tensor whose memory was written to through another view",
    );
  });

  it("refuses what is computed otherwise for another batch", () => {
    const { message } = failure((x) => (x.size(0) === 2 ? ops.relu(x) : ops.sigmoid(x)));
    expect(message).toContain("1: relu is computed otherwise for batches of another size");
  });

  it("keeps the keys of the state dict", () => {
    using random = new Generator(1);
    using model = new Sequential(new Linear(6, 4, { random }));
    const graph = lower(traceForward(model, (x) => model.forward(x), [6]));
    expect([...graph.initializers.keys()]).toEqual(["0.weight", "0.bias"]);
    expect(graph.nodes[0]).toMatchObject({
      op: "Gemm",
      name: "/0/Gemm",
      inputs: ["images", "0.weight", "0.bias"],
    });
  });
});
