// The optimizer's step alone, ours against the ways one can write it with libtorch's operators, in turn on
// the same tensors. 64 MB are touched before each step, as a forward and backward pass would, so that
// the parameters do not come from the nearest cache.
//
//   node bench/ours/optimizer-step.mjs [--model simple_cnn] [--rounds 40]
//
// @RESULTS@
import { parseArgs } from "node:util";
import { createModel, parseModelName } from "../../dist/models/index.js";
import { adam, adamw, parameterGroups, sgd } from "../../dist/optim/index.js";
import {
  Generator,
  getThreads,
  noGrad,
  ops,
  scope,
  unscoped,
  version,
} from "../../dist/tensor/index.js";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "simple_cnn" },
    rounds: { type: "string", default: "40" },
  },
});
const rounds = Number(values.rounds);
const warmup = 5;
const lr = 1e-3;
const [beta1, beta2] = [0.9, 0.999];
const eps = 1e-8;
const momentum = 0.9;

const model = createModel(parseModelName(values.model), {
  classes: 5,
  inChannels: 3,
  imageSize: [32, 32],
  random: { init: new Generator(1), dropout: new Generator(2) },
});
const named = model.namedParameters();
const parameters = named.map(([, parameter]) => parameter);
const gradients = parameters.map((p) => ops.fill_Scalar(ops.zerosLike(p), 1e-3));
for (const [i, parameter] of parameters.entries()) parameter.grad = gradients[i];

/** Buffers of a variant of its own. */
const zeros = () => unscoped(() => parameters.map((parameter) => ops.zerosLike(parameter)));

/** PyTorch's single-tensor path; weight decay L2 as Adam's, decoupled as AdamW's, or none. */
function adamLoop(weightDecay, decoupled) {
  const averages = zeros();
  const squares = zeros();
  let t = 0;
  return () => {
    t++;
    const correction = Math.sqrt(1 - beta2 ** t);
    for (const [i, p] of parameters.entries()) {
      scope(() => {
        if (decoupled) ops.mul_Scalar(p, 1 - lr * weightDecay);
        const l2 = !decoupled && weightDecay !== 0;
        const g = l2 ? ops.add(gradients[i], p, { alpha: weightDecay }) : gradients[i];
        ops.add_(ops.mul_Scalar(averages[i], beta1), g, { alpha: 1 - beta1 });
        ops.addcmul_(ops.mul_Scalar(squares[i], beta2), g, g, { value: 1 - beta2 });
        const denominator = ops.div_Scalar(ops.sqrt(squares[i]), correction);
        const value = -lr / (1 - beta1 ** t);
        ops.addcdiv_(p, averages[i], ops.add_Scalar(denominator, eps), { value });
      });
    }
  };
}

/** PyTorch's multi-tensor path. */
function adamForeach(weightDecay, decoupled) {
  const averages = zeros();
  const squares = zeros();
  let t = 0;
  return () => {
    t++;
    if (decoupled) ops.foreachMul_Scalar(parameters, 1 - lr * weightDecay);
    const l2 = !decoupled && weightDecay !== 0;
    const g = l2 ? ops.foreachAddList(gradients, parameters, { alpha: weightDecay }) : gradients;
    ops.foreachMul_Scalar(averages, beta1);
    ops.foreachAdd_List(averages, g, { alpha: 1 - beta1 });
    ops.foreachMul_Scalar(squares, beta2);
    ops.foreachAddcmul_Scalar(squares, g, g, { value: 1 - beta2 });
    const denominators = ops.foreachSqrt(squares);
    ops.foreachDiv_Scalar(denominators, Math.sqrt(1 - beta2 ** t));
    ops.foreachAdd_Scalar(denominators, eps);
    const value = -lr / (1 - beta1 ** t);
    ops.foreachAddcdiv_Scalar(parameters, averages, denominators, { value });
  };
}

function sgdLoop() {
  const buffers = zeros();
  return () => {
    for (const [i, p] of parameters.entries()) {
      ops.add_(ops.mul_Scalar(buffers[i], momentum), gradients[i]);
      ops.add_(p, buffers[i], { alpha: -lr });
    }
  };
}

function sgdForeach() {
  const buffers = zeros();
  return () => {
    ops.foreachMul_Scalar(buffers, momentum);
    ops.foreachAdd_List(buffers, gradients);
    ops.foreachAdd_List(parameters, buffers, { alpha: -lr });
  };
}

const groups = parameterGroups(named);
const stepOf = (optimizer) => () => optimizer.step();
const weightDecay = 1e-4;
/** Ours first: the others are compared with it. */
const contests = {
  "SGD with momentum": {
    ours: stepOf(sgd(groups, { lr, momentum })),
    loop: sgdLoop(),
    foreach: sgdForeach(),
  },
  Adam: {
    ours: stepOf(adam(groups, { lr })),
    loop: adamLoop(0, false),
    foreach: adamForeach(0, false),
  },
  "Adam with L2": {
    ours: stepOf(adam(groups, { lr, weightDecay })),
    loop: adamLoop(weightDecay, false),
    foreach: adamForeach(weightDecay, false),
  },
  AdamW: {
    ours: stepOf(adamw(groups, { lr, weightDecay })),
    loop: adamLoop(weightDecay, true),
    foreach: adamForeach(weightDecay, true),
  },
};

const elsewhere = ops.ones([16 * 1024 * 1024]);
function milliseconds(step) {
  ops.neg(elsewhere).dispose();
  const start = process.hrtime.bigint();
  noGrad(() => scope(() => void step()));
  return Number(process.hrtime.bigint() - start) / 1e6;
}

function median(numbers) {
  return numbers.sort((a, b) => a - b)[numbers.length >> 1];
}

const count = parameters.reduce((sum, parameter) => sum + parameter.elements, 0);
console.error(
  `${values.model}: ${count} parameters in ${parameters.length} tensors, ` +
    `libtorch ${version().libtorch}, ${getThreads()} threads, medians of ${rounds} rounds`,
);
const result = {};
for (const [name, variants] of Object.entries(contests)) {
  const times = Object.fromEntries(Object.keys(variants).map((variant) => [variant, []]));
  for (let round = -warmup; round < rounds; round++) {
    for (const [variant, step] of Object.entries(variants)) {
      const time = milliseconds(step);
      if (round >= 0) times[variant].push(time);
    }
  }
  const medians = Object.entries(times).map(([variant, all]) => [variant, median(all)]);
  result[name] = Object.fromEntries(medians);
  const ours = result[name].ours;
  const shown = medians.map(
    ([variant, time]) => `${variant} ${time.toFixed(2)} ms (${(time / ours).toFixed(2)}x)`,
  );
  console.error(`  ${name.padEnd(18)} ${shown.join("   ")}`);
}
console.log(JSON.stringify(result));
