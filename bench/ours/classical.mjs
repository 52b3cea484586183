// One classical model on Fashion-MNIST. The time of a fit, of k-NN that of fit and prediction; data is loaded and scaled
// before, as in the peer.
//
//   node bench/ours/classical.mjs --task logreg-5000|logreg-fold|svc-5000|svc-scaled|knn|grid [--rows 60000]
import { parseArgs } from "node:util";
import {
  GridSearchCV,
  KNeighborsClassifier,
  LinearSVC,
  LogisticRegression,
  Pipeline,
  StandardScaler,
} from "../../dist/classical/index.js";
import { openDataset } from "../../dist/data/datasets/index.js";
import { ensureNative } from "../../dist/libtorch/index.js";
import { ops, scope, Tensor } from "../../dist/tensor/index.js";

const { values } = parseArgs({
  options: { task: { type: "string", default: "logreg-5000" }, rows: { type: "string" } },
});
await ensureNative();
const data = await openDataset({ data: "fashion-mnist", seed: 42, valSize: 0 });
const rowsOf = {
  "logreg-5000": 5000,
  "logreg-fold": 40_000,
  "svc-5000": 5000,
  "svc-scaled": 5000,
  knn: 60_000,
  grid: 60_000,
};
const rows = Math.min(rowsOf[values.task], Number(values.rows ?? rowsOf[values.task]));

const pixels = (set, count) =>
  scope(() => {
    const bytes = Tensor.borrow(set.images.subarray(0, count * 784), [count, 784]);
    return ops.divScalar(ops.toDtype(bytes, "float32"), 255);
  });
const x = pixels(data.train, rows);
const y = data.train.labels.subarray(0, rows);
const query = pixels(data.test, data.test.count);

const tasks = {
  "logreg-5000": () => new LogisticRegression({ maxIter: 1000 }).fit(x, y),
  "logreg-fold": (scaled) => new LogisticRegression({ C: 0.1, maxIter: 1000 }).fit(scaled, y),
  "svc-5000": () => new LinearSVC().fit(x, y),
  // Not in the table: liblinear does not converge on these features, in minutes.
  "svc-scaled": (scaled) => new LinearSVC({ maxIter: 10_000 }).fit(scaled, y),
  knn: () => new KNeighborsClassifier().fit(x, y),
  grid: () => {
    const classifier = ["model", new LogisticRegression({ maxIter: 1000 })];
    const pipeline = new Pipeline({ transformers: [["scale", new StandardScaler()]], classifier });
    const paramGrid = { model__C: [0.1, 1, 3] };
    const onFit = (fit) => console.error(JSON.stringify(fit));
    return new GridSearchCV(pipeline, { paramGrid, cv: 3, onFit }).fit(x, y);
  },
};
const scaler = {
  "logreg-fold": () => new StandardScaler().fit(x),
  "svc-scaled": () => new StandardScaler().fit(pixels(data.train, data.train.count)),
}[values.task]?.();
const scaled = scaler?.transform(x);
const began = process.hrtime.bigint();
const model = tasks[values.task](scaled);
const predicted = values.task === "knn" ? model.predict(query) : undefined;
const seconds = Number(process.hrtime.bigint() - began) / 1e9;
const accuracy = (labels) =>
  labels.reduce((hits, label, i) => hits + (label === data.test.labels[i]), 0) / labels.length;
const judged = predicted ?? model.predict(scaler === undefined ? query : scaler.transform(query));
console.log(
  JSON.stringify({
    seconds,
    fitsPerSecond: 1 / seconds,
    objective: model.objective ?? null,
    iterations: model.nIter ?? null,
    accuracy: accuracy(judged),
    ...(model.bestParams && { best: model.bestParams, score: model.bestScore }),
  }),
);
