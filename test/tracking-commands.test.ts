import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openRun } from "../src/run/read.ts";
import { bytesOf, type Fields, messagesOf, numberOf, readEvents } from "./support/event-reader.ts";
import { FakeMlflow } from "./support/fake-mlflow.ts";
import { serve } from "./support/file-server.ts";
import { makeHome, startThaw, thaw } from "./support/thaw-process.ts";

let folder: string;
let env: Record<string, string>;
let run: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "thaw-track-"));
  const nobody = { MLFLOW_TRACKING_URI: "", MLFLOW_EXPERIMENT_NAME: "" };
  env = { ...(await makeHome(join(folder, "home"), 400)), ...nobody };
  run = join(folder, "runs", "a");
});
afterAll(() => rmSync(folder, { recursive: true }));

const trainArgs = (...flags: string[]) => [
  ...["train", "--data", "fashion-mnist", "--model", "simple_cnn", "--out", join(folder, "runs")],
  ...["--epochs", "1", "--train-size", "64", "--val-size", "40", "--test-size", "40"],
  ...["--batch-size", "32", "--precision", "fp32", "--threads", "1", "--name", "a", ...flags],
];

test("a tracker that is none, or that nobody serves: exit code 2, and nothing is made", () => {
  const slip = thaw(trainArgs("--track", "tensorbord"), env);
  expect([slip.code, slip.stderr]).toEqual([2, expect.stringContaining("--track")]);
  const nobody = thaw(trainArgs("--track", "mlflow"), env);
  expect([nobody.code, nobody.stderr]).toEqual([
    ...[2, expect.stringContaining("MLFLOW_TRACKING_URI is not set")],
  ]);
  expect(existsSync(run)).toBe(false);
});

/** All that TensorBoard is told by the files of a run's folder: values by tag. */
function toldTensorBoard(dir: string): Map<string, Fields[]> {
  const told = new Map<string, Fields[]>();
  for (const name of readdirSync(dir).filter((file) => file.startsWith("events."))) {
    const events = readEvents(new Uint8Array(readFileSync(join(dir, name))));
    for (const { tag, fields } of events.flatMap(({ values }) => values)) {
      told.set(tag, [...(told.get(tag) ?? []), fields]);
    }
  }
  return told;
}

test("a run is trained, explained and sent afterwards", async () => {
  expect(thaw(trainArgs("--log-histograms", "1", "--clip-grad", "1"), env).code).toBe(0);
  const files = readdirSync(run);
  for (const name of ["curves", "confusion_matrix_normalised", "reliability", "misclassified"]) {
    expect(files).toEqual(expect.arrayContaining([`${name}.svg`, `${name}.png`]));
  }
  const tags = toldTensorBoard(run);
  const once = [
    ...["Loss/train", "Loss/val", "Accuracy/train", "Accuracy/val", "Accuracy/test"],
    ...["Throughput/images_per_second", "Weights/fc2.weight", "Gradients/fc2.weight"],
    ...["_hparams_/experiment", "_hparams_/session_start_info", "_hparams_/session_end_info"],
  ];
  const steps = ["Loss/step", "LearningRate", "GradientNorm"];
  const counts = [...once, ...steps].map((tag) => [tag, tags.get(tag)?.length]);
  expect(counts).toEqual([...once.map((tag) => [tag, 1]), ...steps.map((tag) => [tag, 2])]);
  const pictures = {
    "ConfusionMatrix/counts": "confusion_matrix.png",
    "ConfusionMatrix/normalised": "confusion_matrix_normalised.png",
    ...{ Curves: "curves.png", Reliability: "reliability.png", Misclassified: "misclassified.png" },
  };
  for (const [tag, file] of Object.entries(pictures)) {
    const [image] = messagesOf(tags.get(tag)![0]!, 4);
    expect(Buffer.from(bytesOf(image!, 4)).equals(readFileSync(join(run, file)))).toBe(true);
  }

  rmSync(join(run, "misclassified.png"));
  expect(thaw(["evaluate", run, "--json"], env).code).toBe(0);
  expect(existsSync(join(run, "misclassified.png"))).toBe(true);
  expect(openRun(run).summary!.latencyMs).toBeGreaterThan(0);

  const told = thaw(["explain", run, "--images", "1", "--json"], env);
  expect(told.stderr).toBe("");
  const { method, images } = JSON.parse(told.stdout) as { method: string; images: unknown[] };
  expect([method, images.length]).toEqual(["Grad-CAM", 10]);
  expect(existsSync(join(run, "explain.png"))).toBe(true);

  expect(thaw(["track", run], env).code).toBe(2);
  const mlflow = new FakeMlflow();
  const server = await serve(mlflow.listener);
  // The server is in this process: `thaw` has to run beside it.
  const sending = startThaw(["track", run], { ...env, MLFLOW_TRACKING_URI: server.url });
  const { code, stderr } = await sending.ended;
  await server.close();
  expect([code, stderr]).toEqual([0, expect.stringContaining("as run 0000")]);
  const [sent] = [...mlflow.runs.values()];
  expect(mlflow.history(sent!, "loss/step")).toHaveLength(2);
  expect([...mlflow.artifacts.keys()].some((path) => path.endsWith("explain.png"))).toBe(true);
});

test("a classical model is told of, drawn and shown as a network is", async () => {
  const mlflow = new FakeMlflow();
  const server = await serve(mlflow.listener);
  const classical = [
    ...["train", "--data", "fashion-mnist", "--model", "knn", "--n-neighbors", "3"],
    ...["--train-size", "64", "--test-size", "40", "--threads", "1", "--name", "b"],
    ...["--out", join(folder, "runs"), "--track", "tensorboard,mlflow"],
  ];
  const { code, stderr } = await startThaw(classical, {
    ...env,
    MLFLOW_TRACKING_URI: server.url,
  }).ended;
  await server.close();
  expect([code, stderr]).toEqual([0, expect.not.stringContaining("warning")]);
  const dir = join(folder, "runs", "b");
  const { test: result } = openRun(dir).summary!;
  const tags = toldTensorBoard(dir);
  const [accuracy] = tags.get("Accuracy/test")!;
  expect(numberOf(accuracy!, 2)).toBe(Math.fround(result!.accuracy));
  const shown = ["ConfusionMatrix/counts", "Reliability", "_hparams_/session_end_info"];
  expect(shown.filter((tag) => !tags.has(tag))).toEqual([]);
  const [sent] = [...mlflow.runs.values()];
  expect(sent).toMatchObject({ name: "b", status: "FINISHED" });
  expect(sent!.params.get("nNeighbors")).toBe("3");
  expect(mlflow.history(sent!, "accuracy/test")).toHaveLength(1);
  const files = [...mlflow.artifacts.keys()].map((path) => path.split("/").at(-1));
  expect(files).toEqual(expect.arrayContaining(["reliability.png", "best.safetensors"]));
});

test.each(["answers without end", "closes midway"])(
  "a server that %s costs a run neither memory nor its end",
  async (how) => {
    let sent = 0;
    const server = await serve((_, response) => {
      if (how === "closes midway") {
        response.writeHead(200, { "content-length": 1000 });
        response.write("{", () => response.destroy());
        return;
      }
      const chunk = Buffer.alloc(1 << 18, " ");
      const more = (): void => {
        if (response.destroyed) return;
        sent += chunk.length;
        response.write(chunk, more);
      };
      more();
    });
    const args = [
      ...["train", "--data", "fashion-mnist", "--model", "knn", "--n-neighbors", "3"],
      ...["--train-size", "64", "--test-size", "40", "--threads", "1", "--name", how.slice(0, 5)],
      ...["--out", join(folder, "runs"), "--track", "mlflow"],
    ];
    const uri = { MLFLOW_TRACKING_URI: server.url };
    const { code, stderr } = await startThaw(args, { ...env, ...uri }).ended;
    await server.close();
    const why = { a: "more than 1048576 bytes", c: "aborted" };
    expect([code, stderr]).toEqual([0, expect.stringContaining(why[how[0] as keyof typeof why])]);
    expect(stderr.match(/warning: MLflow at/g)).toHaveLength(1);
    expect(openRun(join(folder, "runs", how.slice(0, 5))).summary!.status).toBe("finished");
    // A few answers, each cut off early; what lies in the sockets' buffers comes on top.
    expect(sent).toBeLessThan(100e6);
  },
);
