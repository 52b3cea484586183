import { describe, expect, it } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import {
  Generator,
  inference,
  liveTensors,
  memory,
  ops,
  resetPeakMemory,
  scope,
  Tensor,
} from "../tensor/index.ts";
import {
  BatchNorm2d,
  Conv2d,
  Dropout,
  Flatten,
  GlobalAvgPool,
  Identity,
  Linear,
  lasting,
  Module,
  Parameter,
  ReLU,
  Sequential,
} from "./index.ts";

class Inner extends Module {
  readonly bn = new BatchNorm2d(4);
  readonly scale = lasting(() => new Parameter(ops.ones([1])));

  forward(x: Tensor): Tensor {
    return scope(() => ops.mul(this.bn.forward(x), this.scale));
  }
}

class Network extends Module {
  readonly conv: Conv2d;
  readonly blocks: Sequential;
  readonly fc: Linear;

  constructor(random: Generator) {
    super();
    this.conv = new Conv2d(2, 4, 3, { random });
    this.blocks = new Sequential(new Inner(), new ReLU(), new Dropout(0.5, { random }));
    this.fc = new Linear(4, 3, { random });
  }

  forward(x: Tensor): Tensor {
    return scope(() =>
      this.fc.forward(ops.meanDim(this.blocks.forward(this.conv.forward(x)), { dim: [2, 3] })),
    );
  }
}

function withNetwork(body: (network: Network) => void): void {
  using random = new Generator(1);
  using network = new Network(random);
  scope(() => body(network));
}

const values = (module: Module): Map<string, number[]> =>
  new Map([...module.stateDict()].map(([key, t]) => [key, Array.from(t.toBytes())]));

expectNoLeaks();

describe("Module", () => {
  it("names parameters and buffers in the order of PyTorch's state_dict", () => {
    withNetwork((network) => {
      expect([...network.stateDict().keys()]).toEqual([
        "conv.weight",
        "conv.bias",
        "blocks.0.scale",
        "blocks.0.bn.weight",
        "blocks.0.bn.bias",
        "blocks.0.bn.running_mean",
        "blocks.0.bn.running_var",
        "blocks.0.bn.num_batches_tracked",
        "fc.weight",
        "fc.bias",
      ]);
      expect(network.namedParameters().map(([name]) => name)).toEqual(
        [...network.stateDict().keys()].filter((key) => !/running|num_batches/.test(key)),
      );
      expect(network.namedBuffers()).toHaveLength(3);
      expect(network.namedModules().map(([name]) => name)).toEqual([
        "",
        "conv",
        "blocks",
        "blocks.0",
        "blocks.0.bn",
        "blocks.1",
        "blocks.2",
        "fc",
      ]);
      expect(network.bytes).toBe(4 * (72 + 4 + 1 + 16 + 12 + 3) + 8);
    });
  });

  it("leaves out a bias that is not there", () => {
    using random = new Generator(1);
    using layer = new Linear(2, 2, { bias: false, random });
    expect([...layer.stateDict().keys()]).toEqual(["weight"]);
  });

  it("survives the scope it is built in, and is freed by its disposal", () => {
    const before = liveTensors();
    using random = new Generator(1);
    const held: { network?: Network } = {};
    scope(() => {
      held.network = new Network(random);
    });
    expect(liveTensors()).toBe(before + 10);
    expect(held.network!.fc.weight.disposed).toBe(false);
    held.network![Symbol.dispose]();
    expect(liveTensors()).toBe(before);
  });

  it("train and eval reach every module inside", () => {
    withNetwork((network) => {
      expect(network.namedModules().every(([, module]) => module.training)).toBe(true);
      expect(network.eval()).toBe(network);
      expect(network.namedModules().some(([, module]) => module.training)).toBe(false);
      network.blocks.train();
      expect(network.training).toBe(false);
      expect(network.namedModules().filter(([, module]) => module.training)).toHaveLength(5);
    });
  });

  it("moves running statistics in training only", () => {
    withNetwork((network) => {
      const x = ops.ones([2, 2, 5, 5]);
      const bn = network.namedModules().find(([name]) => name === "blocks.0.bn")![1];
      network.eval().conv.forward(x);
      const before = values(bn);
      scope(() => bn.forward(network.conv.forward(x)));
      expect(values(bn)).toEqual(before);
      scope(() => bn.train().forward(network.conv.forward(x)));
      expect(values(bn)).not.toEqual(before);
    });
  });
});

describe("loadStateDict", () => {
  it("copies values and converts dtypes, keeping the parameters' handles", () => {
    withNetwork((network) => {
      using random = new Generator(2);
      using other = new Network(random);
      expect(values(other)).not.toEqual(values(network));
      const { handle } = network.fc.weight;
      network.loadStateDict(other.stateDict());
      expect(values(network)).toEqual(values(other));
      const doubles = [...other.stateDict()].map(([key, t]): [string, Tensor] => [
        key,
        ops.toDtype(t, "float64"),
      ]);
      network.loadStateDict(new Map(doubles));
      expect(values(network)).toEqual(values(other));
      expect(network.fc.weight.handle).toBe(handle);
      expect(network.fc.weight.requiresGrad).toBe(true);
    });
  });

  it("lists every problem and copies nothing", () => {
    withNetwork((network) => {
      const before = values(network);
      const wrong = new Map<string, Tensor>(
        [...network.stateDict()].map(([key, t]) => [key, ops.zerosLike(t)]),
      );
      wrong.delete("conv.bias");
      wrong.set("fc.weight", ops.ones([9, 4]));
      wrong.set("head.weight", ops.ones([1]));
      const load = (): void => network.loadStateDict(wrong);
      expect(load).toThrow("conv.bias: missing");
      expect(load).toThrow("head.weight: not in the model");
      expect(load).toThrow("fc.weight: the values have [9, 4], the model wants [3, 4]");
      expect(values(network)).toEqual(before);
    });
  });

  it("shortens a long list, and says by how much", () => {
    withNetwork((network) => {
      expect(() => network.loadStateDict(new Map())).toThrow(/and 2 more$/);
    });
  });
});

describe("to", () => {
  it("channels_last keeps values, changes the strides of four dimensions, stays trainable", () => {
    withNetwork((network) => {
      const before = values(network);
      const live = liveTensors();
      expect(network.eval().to({ memoryFormat: "channels_last" })).toBe(network);
      expect(network.conv.weight.strides).toEqual([18, 1, 6, 2]);
      expect(network.fc.weight.strides).toEqual([4, 1]);
      expect(values(network)).toEqual(before);
      expect(liveTensors()).toBe(live);
      ops.sum(network.forward(ops.ones([1, 2, 5, 5]))).backward();
      expect(network.parameters().every((p) => p.requiresGrad && p.grad !== null)).toBe(true);
      network.to({ memoryFormat: "contiguous" });
      expect(network.conv.weight.strides).toEqual([18, 9, 3, 1]);
      expect(values(network)).toEqual(before);
    });
  });

  it("forces the strides where one channel makes both formats the same bytes", () => {
    using random = new Generator(1);
    using conv = new Conv2d(1, 4, 3, { random });
    conv.to({ memoryFormat: "channels_last" });
    expect(conv.weight.strides).toEqual([9, 1, 3, 1]);
  });

  it("leaves a frozen parameter frozen", () => {
    withNetwork((network) => {
      network.conv.weight.requiresGrad = false;
      network.to({ memoryFormat: "channels_last", device: "cpu" });
      expect(network.conv.weight.requiresGrad).toBe(false);
      expect(network.fc.weight.requiresGrad).toBe(true);
    });
  });
});

describe("Sequential", () => {
  it("runs in order, and leaves only its result", () => {
    using random = new Generator(1);
    using model = new Sequential(
      new Conv2d(1, 2, 3, { random }),
      new ReLU(),
      new GlobalAvgPool(),
      new Identity(),
      new Linear(2, 3, { random }),
    );
    expect([model.length, [...model].length]).toEqual([5, 5]);
    scope(() => {
      const x = ops.ones([2, 1, 5, 5]);
      const before = liveTensors();
      const y = model.forward(x);
      expect(y.shape).toEqual([2, 3]);
      expect(liveTensors()).toBe(before + 1);
      expect(x.disposed).toBe(false);
    });
  });

  it("of nothing or identities is the identity, and frees neither input nor result", () => {
    scope(() => {
      const x = ops.ones([2, 2, 1]);
      expect(new Sequential().forward(x)).toBe(x);
      expect(new Sequential(new Identity(), new Identity()).forward(x)).toBe(x);
      const y = new Sequential(new Flatten(), new Identity()).forward(x);
      expect(y.shape).toEqual([2, 2]);
      expect([x.disposed, y.disposed]).toEqual([false, false]);
    });
  });

  it("holds two activations at a time in inference, however deep", () => {
    const model = new Sequential(...Array.from({ length: 12 }, () => new ReLU()));
    scope(() => {
      const bytes = 1 << 22;
      const x = ops.ones([bytes / 4]);
      resetPeakMemory();
      const { peakBytes } = memory();
      inference(() => model.forward(x));
      expect(memory().peakBytes - peakBytes).toBeLessThanOrEqual(2 * bytes * 1.125);
    });
  });

  it("keeps what the backward pass needs", () => {
    using random = new Generator(1);
    using model = new Sequential(new Linear(2, 2, { random }), new ReLU());
    scope(() => {
      const x = Tensor.from(Float32Array.of(1, 2), [1, 2]);
      x.requiresGrad = true;
      ops.sum(model.forward(x)).backward();
      expect(x.grad!.shape).toEqual([1, 2]);
    });
  });
});
