// Our side of frozen-forward: forward passes of a frozen network. Prints one line of JSON.
import { parseArgs } from "node:util";
import { chooseCompute, createModel, freeze, parseModelName } from "../../dist/models/index.js";
import { forward } from "../../dist/models/predict.js";
import {
  autocast,
  Generator,
  inference,
  inMemoryFormat,
  ops,
  scope,
} from "../../dist/tensor/index.js";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "resnet50" },
    precision: { type: "string", default: "auto" },
    passes: { type: "string", default: "6" },
    warmup: { type: "string", default: "2" },
    batch: { type: "string", default: "32" },
    size: { type: "string", default: "224" },
  },
});
const [batch, size] = [Number(values.batch), Number(values.size)];
const compute = chooseCompute({ device: "cpu", precision: values.precision });
const random = new Generator(42);

/** The same weights each time: those of a network in use, by statistics of a few batches. */
function build() {
  const model = createModel(parseModelName(values.model), {
    ...{ classes: 1000, inChannels: 3, imageSize: [size, size] },
    random: { init: new Generator(1), dropout: new Generator(2) },
  }).to({ memoryFormat: compute.memoryFormat });
  const draw = new Generator(3);
  model.train();
  for (let i = 0; i < 2; i++) {
    inference(() =>
      scope(() => void model.forward(ops.randn([8, 3, size, size], { generator: draw }))),
    );
  }
  return model.eval();
}

const images = inMemoryFormat(
  ops.randn([batch, 3, size, size], { generator: random }),
  compute.memoryFormat,
);
const embed = (model, how) =>
  inference(() =>
    scope(() => {
      const embedding = under(how, () => model.embed(images));
      return ops.toDtype(embedding, "float32").toArray("float32");
    }),
  );
const under = ({ device, autocast: dtype }, body) =>
  dtype === null ? body() : autocast({ device, dtype }, body);

/** The median over the images of the cosine between two networks' embeddings. */
function medianCosine(a, b) {
  const width = a.length / batch;
  const dot = (x, y) => x.reduce((sum, v, i) => sum + v * y[i], 0);
  const cosines = Array.from({ length: batch }, (_, i) => {
    const [x, y] = [a, b].map((all) => all.subarray(i * width, (i + 1) * width));
    return dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y));
  });
  return cosines.sort((x, y) => x - y)[batch >> 1];
}

const model = build();
const exact = embed(model, { ...compute, autocast: null });
freeze(model, [3, size, size], compute);
const cosine = medianCosine(embed(model, compute), exact);

function pass() {
  inference(() => scope(() => void forward(model, images, compute)));
}
for (let i = 0; i < Number(values.warmup); i++) pass();
const started = performance.now();
for (let i = 0; i < Number(values.passes); i++) pass();
const seconds = (performance.now() - started) / 1000;

const imagesPerSecond = (Number(values.passes) * batch) / seconds;
process.stdout.write(`${JSON.stringify({ imagesPerSecond, cosine })}\n`);
process.exit(0);
