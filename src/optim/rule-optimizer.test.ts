import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { formulaTensor, formulaUniform } from "../../test/formula.ts";
import { type OptimizerOptions, readTorchFixture } from "../../test/torch-fixtures.ts";
import { Operator } from "../tensor/engine.ts";
import { hasOperator, inMemoryFormat, liveTensors, ops, scope, Tensor } from "../tensor/index.ts";
import { fusedAdam } from "./fused.ts";
import { adam, adamw, type GroupOptions, type Optimizer, sgd } from "./index.ts";

const { shapes, cases } = readTorchFixture("optimizers");
const elements = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);

let liveBefore: number;
let parameters: Tensor[];

beforeEach(() => {
  liveBefore = liveTensors();
  parameters = fresh();
});

afterEach(() => {
  for (const parameter of parameters) parameter.dispose();
  expect(liveTensors()).toBe(liveBefore);
});

function fresh(): Tensor[] {
  return shapes.map((shape, p) => {
    const name = shape.length === 1 ? "bias" : "weight";
    const parameter = Tensor.from(formulaTensor(name, p, shape), shape);
    parameter.requiresGrad = true;
    return parameter;
  });
}

/** The fixture's gradients of step `step`, of all parameters or those listed. */
function setGradients(tensors: readonly Tensor[], step: number, which = [0, 1, 2]): void {
  for (const p of which) {
    const shape = shapes[p]!;
    using gradient = Tensor.from(formulaUniform(100 + 10 * step + p, elements(shape)), shape);
    tensors[p]!.grad = gradient;
  }
}

const values = (tensors: readonly Tensor[]) => tensors.map((tensor) => tensor.toArray("float32"));

/** max |a - b| / max |b| */
function deviation(actual: ArrayLike<number>, wanted: ArrayLike<number>): number {
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < wanted.length; i++) {
    difference = Math.max(difference, Math.abs(actual[i]! - wanted[i]!));
    largest = Math.max(largest, Math.abs(wanted[i]!));
  }
  return difference / largest;
}

function make(kind: string, groups: readonly GroupOptions[], options: OptimizerOptions): Optimizer {
  const { lr = Number.NaN, betas, eps, momentum, nesterov, weight_decay: weightDecay } = options;
  const decay = weightDecay === undefined ? {} : { weightDecay };
  if (kind === "SGD") {
    return sgd(groups, { lr, momentum: momentum ?? 0, nesterov: nesterov ?? false, ...decay });
  }
  const adams = { lr, ...(betas && { betas }), ...(eps !== undefined && { eps }), ...decay };
  return kind === "Adam" ? adam(groups, adams) : adamw(groups, adams);
}

// Dampening is PyTorch's own: no paper's SGD and none of our recipes has it.
const ours = Object.entries(cases).filter(([, { options }]) => options.dampening === undefined);

describe("three steps equal PyTorch's", () => {
  it.each(ours)("%s", (_, fixture) => {
    const { options } = fixture;
    const groups = fixture.groups?.map(
      (group): GroupOptions => ({
        parameters: group.parameters.map((p) => parameters[p]!),
        lrScale: (group.lr ?? options.lr!) / options.lr!,
        ...(group.weight_decay !== undefined && { weightDecay: group.weight_decay }),
      }),
    );
    using optimizer = make(fixture.optimizer, groups ?? [{ parameters }], options);
    for (const [step, wanted] of fixture.steps.entries()) {
      setGradients(parameters, step);
      optimizer.step();
      for (const [p, actual] of values(parameters).entries()) {
        expect(deviation(actual, wanted.parameters[p]!), `step ${step}, ${p}`).toBeLessThan(1e-6);
      }
    }
  });
});

const kinds: readonly [string, (groups: readonly GroupOptions[]) => Optimizer][] = [
  ["sgd", (groups) => sgd(groups, { lr: 0.1 })],
  [
    "sgd with Nesterov's momentum",
    (groups) => sgd(groups, { lr: 0.1, momentum: 0.9, nesterov: true, weightDecay: 1e-3 }),
  ],
  ["adam", (groups) => adam(groups, { lr: 0.01, weightDecay: 1e-3 })],
  ["adamw", (groups) => adamw(groups, { lr: 0.01, weightDecay: 0.1 })],
];

describe.each(kinds)("%s", (_, optimizerOf) => {
  it("goes on from saved state bit for bit", () => {
    const others = fresh();
    {
      using saved = optimizerOf([{ parameters, parameterNames: ["a", "b", "c"] }]);
      using resumed = optimizerOf([{ parameters: others, parameterNames: ["a", "b", "c"] }]);
      // What is overwritten: a resumed optimizer may have taken steps before.
      setGradients(others, 7);
      resumed.step();
      for (const step of [0, 1]) {
        setGradients(parameters, step, step === 0 ? [0, 1, 2] : [0, 2]);
        saved.step();
        saved.zeroGrad();
      }
      for (const [p, parameter] of parameters.entries()) {
        const array = parameter.toArray("float32");
        others[p]!.dispose();
        others[p] = Tensor.from(array, shapes[p]!);
      }
      using again = optimizerOf([{ parameters: others, parameterNames: ["a", "b", "c"] }]);
      again.loadState(saved.state(), JSON.parse(JSON.stringify(saved.steps)));
      expect(again.steps).toEqual(saved.steps);
      expect([...again.state().keys()]).toEqual([...saved.state().keys()]);
      for (const [optimizer, tensors] of [
        [saved, parameters],
        [again, others],
      ] as const) {
        setGradients(tensors, 2);
        optimizer.step();
      }
      expect(values(others)).toEqual(values(parameters));
      expect(values([...again.state().values()])).toEqual(values([...saved.state().values()]));
    }
    for (const other of others) other.dispose();
  });

  it("leaves nothing alive but its state, in a scope or without", () => {
    using optimizer = optimizerOf([{ parameters }]);
    const live = liveTensors();
    for (const step of [0, 1, 2]) {
      setGradients(parameters, step);
      if (step === 0) scope(() => optimizer.step());
      else optimizer.step();
      expect(liveTensors()).toBe(live + optimizer.state().size);
    }
    optimizer.zeroGrad();
    for (const parameter of parameters) expect(parameter.grad).toBeNull();
  });

  it("skips parameters without a gradient", () => {
    using optimizer = optimizerOf([{ parameters }]);
    const untouched = parameters[1]!.toArray("float32");
    setGradients(parameters, 0, [0, 2]);
    optimizer.step();
    optimizer.step();
    expect(parameters[1]!.toArray("float32")).toEqual(untouched);
    expect(optimizer.steps).toEqual({ 0: 2, 2: 2 });
    expect([...optimizer.state().keys()].filter((key) => key.startsWith("1."))).toEqual([]);
  });

  it("steps by nothing at a rate that is not a number", () => {
    using optimizer = optimizerOf([
      { parameters: parameters.slice(0, 2) },
      { name: "head", parameters: [parameters[2]!] },
    ]);
    const untouched = values(parameters);
    setGradients(parameters, 0);
    optimizer.groups[1]!.lr = Number.NaN;
    expect(() => optimizer.step()).toThrow("the learning rate of head is NaN");
    expect(values(parameters)).toEqual(untouched);
    expect(optimizer.steps).toEqual({});
  });

  // Where the layouts differ no fused kernel may be used, which would take the memory as flat.
  it.each([
    ["contiguous", "contiguous"],
    ["channels_last", "channels_last"],
    ["channels_last", "contiguous"],
  ] as const)(
    "updates a %s parameter with a %s gradient as its contiguous parts",
    (layout, gradientLayout) => {
      const shape = [16, 8, 3, 3];
      const rows = 2;
      const count = elements(shape);
      const weights = formulaUniform(1, count);
      const gradients = [2, 3].map((stream) => formulaUniform(stream, count));
      const part = rows * 8 * 9;
      const large = scope(() => inMemoryFormat(Tensor.from(weights, shape), layout));
      const small = Array.from({ length: 8 }, (_, i) =>
        Tensor.from(weights.subarray(i * part, (i + 1) * part), [rows, 8, 3, 3]),
      );
      {
        using whole = optimizerOf([{ parameters: [large] }]);
        using parts = optimizerOf([{ parameters: small }]);
        for (const gradient of gradients) {
          scope(() => {
            large.grad = inMemoryFormat(Tensor.from(gradient, shape), gradientLayout);
            for (const [i, tensor] of small.entries())
              tensor.grad = Tensor.from(gradient.subarray(i * part, (i + 1) * part), tensor.shape);
          });
          whole.step();
          parts.step();
        }
        const joined = scope(() => ops.cat(small).toArray("float32"));
        expect(deviation(large.toArray("float32"), joined)).toBeLessThan(1e-6);
      }
      for (const tensor of [large, ...small]) tensor.dispose();
    },
  );
});

describe("our fused Adam", () => {
  it.each(["_fused_adam_", "_fused_adamw_"])("%s is offered for the CPU alone", (name) => {
    expect(hasOperator(`thaw::${name}`, "CPU")).toBe(true);
    expect(hasOperator(`thaw::${name}`, "CUDA")).toBe(false);
  });

  it("tells a graph that holds a parameter that it has changed", () => {
    scope(() => {
      const [parameter] = parameters as [Tensor];
      const loss = ops.sum(ops.mul(parameter, parameter));
      loss.backward({ retainGraph: true });
      const state = () => [ops.zerosLike(parameter)];
      // Called by hand: where libtorch has the operator, an optimizer takes that.
      fusedAdam(
        new Operator("thaw::_fused_adam_"),
        {
          parameters: [parameter],
          gradients: [parameter.grad!],
          averages: state(),
          squareAverages: state(),
          steps: [ops.ones([])],
        },
        { lr: 0.01, betas: [0.9, 0.999], weightDecay: 0, eps: 1e-8 },
      );
      expect(() => loss.backward()).toThrow(/modified by an inplace operation/);
    });
  });
});

describe("state that does not fit", () => {
  const named = () => [{ parameters, parameterNames: ["a", "b", "c"] }];

  it("is refused with every misfit, and nothing is changed", () => {
    using optimizer = adam(named(), { lr: 0.01 });
    setGradients(parameters, 0);
    optimizer.step();
    const before = values([...optimizer.state().values()]);
    const state = optimizer.state();
    using short = Tensor.from(new Float32Array(3), [3]);
    using doubles = Tensor.from(new Float64Array(7), [7]);
    state.delete("b.exp_avg_sq");
    state.set("a.exp_avg", short).set("c.exp_avg", doubles).set("a.momentum_buffer", short);
    const load = () => optimizer.loadState(state, { a: 1, b: 1, c: 0.5, d: 2 });
    for (const problem of [
      "a.exp_avg: float32 [3] for a parameter of float32 [6, 5]",
      "c.exp_avg: float64 [7]",
      "b.exp_avg_sq: missing",
      "a.momentum_buffer: left over",
      "d: no such parameter",
      "c: 0.5 steps",
    ]) {
      expect(load).toThrow(problem);
    }
    expect(values([...optimizer.state().values()])).toEqual(before);
    expect(optimizer.steps).toEqual({ a: 1, b: 1, c: 1 });
  });

  it("of another kind of optimizer", () => {
    using momentum = sgd(named(), { lr: 0.1, momentum: 0.9 });
    using optimizer = adam(named(), { lr: 0.01 });
    setGradients(parameters, 0);
    momentum.step();
    expect(() => optimizer.loadState(momentum.state(), momentum.steps)).toThrow(
      "does not fit this adam",
    );
  });
});
