// Before training: is everything in order, and which learning rate? Then three runs that differ by their seed, and what
// they say together.
import { fileURLToPath } from "node:url";
import {
  checkSanity,
  chooseCompute,
  ensureNative,
  evaluateTogether,
  findLearningRate,
  openDataset,
  parseConfig,
  type TogetherAnswer,
  type TrainConfigInput,
  train,
} from "thaw";

/** Trains three runs at the rate that is found and judges them as one. */
export async function ensemble(settings: Partial<TrainConfigInput> = {}): Promise<TogetherAnswer> {
  await ensureNative();
  const document = {
    ...{ data: "fashion-mnist", model: "simple_cnn", trainSize: 5000, epochs: 2 },
    ...{ out: "runs/ensemble", ...settings },
  };
  const config = parseConfig(document);
  const data = await openDataset(config);

  const { ok, checks } = await checkSanity(config, data);
  for (const { check, status, detail } of checks) console.error(`${status} ${check}: ${detail}`);
  if (!ok) throw new Error("something is wrong: nothing is trained");

  const { found } = await findLearningRate(config, data);
  const lr = found.suggestion.lr;
  const members = [];
  for (const seed of [1, 2, 3]) {
    const own = parseConfig({ ...document, lr, seed, name: `seed-${seed}` });
    const { run } = await train(own, data, { overwrite: true });
    members.push({ dir: run.dir, data, compute: chooseCompute(own) });
  }
  return evaluateTogether(members, { vote: "soft", tta: "flip", out: config.out, overwrite: true });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { members, result, run } = await ensemble();
  for (const { name, accuracy } of members) console.log(`${name}: ${accuracy}`);
  console.log(`together: ${result.accuracy}; everything is in ${run.dir}`);
}
