import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FakeMlflow } from "../../../../test/support/fake-mlflow.ts";
import { serve } from "../../../../test/support/file-server.ts";
import { writeSampleRun } from "../../../../test/support/run-records.ts";
import { UsageError } from "../../../errors.ts";
import { readRun } from "../../read.ts";
import type { RunRecord } from "../../record.ts";
import { sendToMlflow } from "../send.ts";
import { mlflowServer } from "./server.ts";
import { MlflowTracker } from "./tracker.ts";

let out: string;
let run: RunRecord;
let mlflow: FakeMlflow;
let server: Awaited<ReturnType<typeof serve>>;
const notes: string[] = [];

beforeEach(async () => {
  out = mkdtempSync(join(tmpdir(), "thaw-mlflow-"));
  run = writeSampleRun({ out, name: "a", epochs: 3 });
  for (let step = 1; step <= 1200; step++) {
    run.appendStep({ step, epoch: Math.ceil(step / 400), loss: 2 / step, lr: 0.1, gradNorm: 1 });
  }
  mlflow = new FakeMlflow();
  server = await serve(mlflow.listener);
  notes.splice(0);
});
afterEach(async () => {
  await server.close();
  rmSync(out, { recursive: true });
});

const env = () => ({ MLFLOW_TRACKING_URI: server.url, MLFLOW_EXPERIMENT_NAME: "cats & dogs" });
const open = (limits: Record<string, number> = {}) =>
  new MlflowTracker({
    ...{ dir: run.dir, params: { lr: 0.1, opt: "adam", empty: "", long: "x".repeat(9000) } },
    ...{ server: mlflowServer(env()), note: (text: string) => notes.push(text), now: () => 42 },
    limits: { pause: 5, longestPause: 20, ...limits },
  });
const sleep = (milliseconds: number) =>
  new Promise<void>((resolve) => setTimeout(resolve, milliseconds));
async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !holds(); i++) await sleep(10);
  expect(holds()).toBe(true);
}
const only = () => [...mlflow.runs.values()][0]!;

describe("a run at MLflow", () => {
  it("has its settings, all its numbers, its results, its files and its end", async () => {
    const tracker = open();
    tracker.summary(readRun(run.dir).summary!);
    await tracker.close();
    expect(notes).toEqual([]);
    expect(mlflow.experiments.get("cats & dogs")).toBe(only().experiment);
    expect(only()).toMatchObject({ name: "a", status: "FINISHED", endTime: 42 });
    expect(Object.fromEntries(only().params)).toEqual({
      ...{ lr: "0.1", opt: "adam", long: "x".repeat(500) },
    });
    const loss = mlflow.history(only(), "loss/step");
    expect(loss.map(([step]) => step)).toEqual(Array.from({ length: 1200 }, (_, i) => i + 1));
    expect(loss[399]).toEqual([400, 0.005]);
    const epochs = readRun(run.dir).epochs.map((e) => [e.step, e.valAccuracy]);
    expect(mlflow.history(only(), "accuracy/val")).toEqual(epochs);
    expect(mlflow.history(only(), "images_per_second")).toHaveLength(3);
    expect(mlflow.history(only(), "accuracy/test")).toEqual([[1200, 0.901]]);
    const root = `${only().experiment}/${only().id}/artifacts`;
    const predictions = mlflow.artifacts.get(`${root}/predictions.csv`);
    expect(predictions?.equals(readFileSync(run.path("predictions.csv")))).toBe(true);
    expect(mlflow.artifacts.has(`${root}/mlflow.json`)).toBe(false);
  });

  it("is told of while it trains, and of numbers that are none", async () => {
    const tracker = open();
    await until(
      () => mlflow.runs.size === 1 && mlflow.history(only(), "loss/step").length === 1200,
    );
    appendFileSync(run.path("steps.jsonl"), '{"step":1201,"epoch":4,"loss":1e999,"lr":0}\n{"st');
    await until(() => mlflow.history(only(), "loss/step").length === 1201);
    expect(mlflow.history(only(), "loss/step").at(-1)).toEqual([1201, Infinity]);
    expect(only().status).toBe("RUNNING");
    await tracker.close();
    expect(only().status).toBe("RUNNING");
  });

  it("goes on as the same run, and nothing is sent twice", async () => {
    const first = open();
    first.summary({ ...readRun(run.dir).summary!, status: "interrupted" });
    await first.close();
    expect(only().status).toBe("KILLED");
    const before = server.requests.filter((url) => url.endsWith("log-batch")).length;
    run.appendStep({ step: 1201, epoch: 4, loss: 1, lr: 0 });
    const second = open();
    await until(() => only().status === "RUNNING");
    second.summary(readRun(run.dir).summary!);
    await second.close();
    expect([mlflow.runs.size, only().status]).toEqual([1, "FINISHED"]);
    // One portion, one of results; neither settings nor old numbers.
    expect(server.requests.filter((url) => url.endsWith("log-batch"))).toHaveLength(before + 2);
  });
});

describe("a server that is no help", () => {
  it.each([
    ["is down", () => server.close(), /ECONNREFUSED/],
    ["fails", () => Object.assign(mlflow, { broken: 503 }), /503/],
    ["does not answer", () => Object.assign(mlflow, { silent: true }), /no response in time/],
    ["refuses", () => Object.assign(mlflow, { broken: 403 }), /403/],
  ])(
    "%s: it is said once, the run ends in time, and later everything is sent",
    async (_, spoil, why) => {
      await spoil();
      const tracker = open({ request: 100, close: 500 });
      await sleep(150);
      const began = performance.now();
      tracker.step();
      tracker.summary(readRun(run.dir).summary!);
      await tracker.close();
      expect(performance.now() - began).toBeLessThan(5000);
      expect(notes).toEqual([expect.stringMatching(why)]);
      expect(notes[0]).toContain(`thaw track ${run.dir}`);

      if (mlflow.broken === undefined && !mlflow.silent) {
        await expect(sendToMlflow(run.dir, env())).rejects.toThrow(/MLflow at .*ECONNREFUSED/);
        server = await serve(mlflow.listener);
      }
      Object.assign(mlflow, { broken: undefined, silent: false });
      const { runId } = await sendToMlflow(run.dir, env());
      expect(only()).toMatchObject({ id: runId, status: "FINISHED" });
      expect(mlflow.history(only(), "loss/step")).toHaveLength(1200);
    },
  );

  it("comes back: the numbers that it has missed arrive", async () => {
    mlflow.broken = 500;
    const tracker = open();
    await until(() => notes.length === 1);
    mlflow.broken = undefined;
    await until(
      () => mlflow.runs.size === 1 && mlflow.history(only(), "loss/step").length === 1200,
    );
    await tracker.close();
    expect(notes).toHaveLength(1);
  });

  it("is another one: nothing of the first counts for it", async () => {
    await sendToMlflow(run.dir, env());
    await sendToMlflow(run.dir, { ...env(), MLFLOW_EXPERIMENT_NAME: "other" });
    expect([...mlflow.runs.values()].map((r) => mlflow.history(r, "loss/step").length)).toEqual([
      1200, 1200,
    ]);
  });
});

describe("the environment", () => {
  it("names the server and who asks", async () => {
    const uri = { MLFLOW_TRACKING_URI: "https://host:8443/mlflow/" };
    expect(mlflowServer(uri)).toEqual({
      ...{ url: "https://host:8443/mlflow", headers: {}, experiment: "Default" },
    });
    const authorization = (more: Record<string, string>) =>
      mlflowServer({ ...uri, ...more }).headers["authorization"];
    expect(authorization({ MLFLOW_TRACKING_TOKEN: "t" })).toBe("Bearer t");
    const basic = `Basic ${Buffer.from("me:se:cret").toString("base64")}`;
    const user = { MLFLOW_TRACKING_USERNAME: "me", MLFLOW_TRACKING_PASSWORD: "se:cret" };
    expect(authorization(user)).toBe(basic);
    const inside = mlflowServer({ MLFLOW_TRACKING_URI: "http://me:se%3Acret@host" });
    expect([inside.url, inside.headers["authorization"]]).toEqual(["http://host", basic]);
    await sendToMlflow(run.dir, { ...env(), ...user });
    expect(new Set(mlflow.asked)).toEqual(new Set([basic]));
    expect(readFileSync(run.path("mlflow.json"), "utf8")).not.toContain("cret");
  });

  it.each([[undefined], [""], ["./mlruns"], ["sqlite:///x.db"], ["databricks"]])(
    "%j is no server",
    (MLFLOW_TRACKING_URI) => {
      expect(() => mlflowServer({ MLFLOW_TRACKING_URI })).toThrow(UsageError);
    },
  );

  it("does not get a password into a message", () => {
    expect(() => mlflowServer({ MLFLOW_TRACKING_URI: "ftp://me:secret@host" })).toThrow(
      /ftp:\/\/…@/,
    );
  });
});

it("needs no journal that is whole", async () => {
  const path = run.path("mlflow.json");
  appendFileSync(path, '{"server": ');
  await sendToMlflow(run.dir, env());
  expect(existsSync(path) && JSON.parse(readFileSync(path, "utf8"))).toMatchObject({ step: 1200 });
});
