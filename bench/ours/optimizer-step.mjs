// The optimizer's step alone, ours against the ways one can write it with libtorch's operators, in turn on
// the same tensors. 64 MB are touched before each step, as a forward and backward pass would, so that
// the parameters do not come from the nearest cache.
//
//   node bench/ours/optimizer-step.mjs [--model simple_cnn] [--rounds 40]
//
// Medians in ms on 2 cores (AVX-512), nothing else running; "loop" is PyTorch's single-tensor path in the
// same facades, "foreach" its multi-tensor path, in brackets against ours:
//
//                          libtorch 1.13                      libtorch 2.8 (ours: fused kernels)
//   simple_cnn             ours  loop         foreach        ours  loop         foreach
//     SGD with momentum    1.41  1.55 (1.10)  1.57 (1.12)    1.61  2.26 (1.40)  2.19 (1.36)
//     Adam                 3.57  3.85 (1.08)  4.06 (1.14)    1.81  4.26 (2.36)  4.21 (2.33)
//     Adam with L2         4.32  4.71 (1.09)  4.73 (1.10)    1.64  4.68 (2.86)  4.40 (2.68)
//     AdamW                3.98  4.17 (1.05)  4.48 (1.12)    1.49  4.07 (2.74)  3.96 (2.66)
//   resnet50
//     SGD with momentum    16.8  19.1 (1.13)  22.3 (1.32)    13.6  19.5 (1.43)  21.5 (1.58)
//     Adam                 45.6  47.8 (1.05)  59.0 (1.29)    17.3  45.2 (2.61)  55.3 (3.20)
//     Adam with L2         48.2  52.9 (1.10)  66.5 (1.38)    19.9  63.8 (3.21)  79.9 (4.02)
//     AdamW                50.7  54.9 (1.08)  69.2 (1.37)    19.4  56.5 (2.92)  68.9 (3.56)
//
// Tried and dropped: tiles of 64 Ki to 512 Ki elements, so that temporaries stay in the second-level
// cache. Ahead of the loop by up to 1.25 in bare calls, by 1.1 (Adam) to 0.9 (SGD) with what the
// facades cost, and with another busy process 2 to 3 times slower, since each of the many parallel
// regions then waits for a core (SGD, bare calls: 156 ms against 48). lerp_ is one pass where mul_ and
// add_ are two, and slower on 1.13, which does not vectorize it.
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
