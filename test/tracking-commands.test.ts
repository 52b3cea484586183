import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
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

test("a run is trained, explained and sent afterwards", async () => {
  expect(thaw(trainArgs(), env).code).toBe(0);
  const files = readdirSync(run);
  for (const name of ["curves", "confusion_matrix_normalised", "reliability"]) {
    expect(files).toEqual(expect.arrayContaining([`${name}.svg`, `${name}.png`]));
  }
  expect(files.filter((file) => file.startsWith("events.out.tfevents."))).toHaveLength(1);

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
