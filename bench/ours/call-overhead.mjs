// One operator call through a facade: add of two one-element tensors, result freed. Prints one line of JSON.
import { parseArgs } from "node:util";
import { noGrad, ops, Tensor } from "../../dist/tensor/index.js";

const { values } = parseArgs({
  options: {
    calls: { type: "string", default: "200000" },
    warmup: { type: "string", default: "20000" },
  },
});
const calls = Number(values.calls);
const a = Tensor.from(new Float32Array([1]), [1]);
const b = Tensor.from(new Float32Array([2]), [1]);

function run(count) {
  for (let i = 0; i < count; i++) ops.add(a, b).dispose();
}

noGrad(() => {
  run(Number(values.warmup));
  const started = performance.now();
  run(calls);
  const microseconds = (performance.now() - started) * 1000;
  process.stdout.write(`${JSON.stringify({ microsecondsPerCall: microseconds / calls })}\n`);
});
