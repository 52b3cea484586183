import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { RequestListener } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { serve } from "../../../../test/support/file-server.ts";
import { artifactAddress } from "./artifacts.ts";
import { MlflowClient } from "./client.ts";
import { MlflowRefusal } from "./refusal.ts";
import { mlflowServer } from "./server.ts";

let answer: RequestListener;
let server: Awaited<ReturnType<typeof serve>>;
let folder: string;
beforeEach(async () => {
  server = await serve((request, response) => answer(request, response));
  folder = mkdtempSync(join(tmpdir(), "thaw-mlflow-"));
});
afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

const client = (timeout = 5000) =>
  new MlflowClient(
    { url: server.url, headers: { authorization: "Bearer secret" }, experiment: "Default" },
    { timeout },
  );
const failure = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => expect.fail("it did not fail"),
    (error: Error) => error,
  );

describe("an artifact_uri", () => {
  const base = "https://ml.example/mlflow";
  const api = `${base}/api/2.0/mlflow-artifacts/artifacts/`;

  it.each([
    ["mlflow-artifacts:/0/abc/artifacts", "0/abc/artifacts/a.json"],
    ["mlflow-artifacts:///0/abc/artifacts", "0/abc/artifacts/a.json"],
    ["mlflow-artifacts://ml.example/0/abc/artifacts/", "0/abc/artifacts/a.json"],
    ["mlflow-artifacts:/team a/ü/..x", "team%20a/%C3%BC/..x/a.json"],
  ])("%s is below the API's folder", (uri, path) => {
    expect(artifactAddress(base, uri, "a.json").href).toBe(`${api}${path}`);
  });

  it.each([
    "mlflow-artifacts:/../../../2.0/mlflow/runs/delete",
    "mlflow-artifacts:/0/../../x",
    "mlflow-artifacts:/0/./x",
    "mlflow-artifacts:/0/%2e%2e/x",
    "mlflow-artifacts:/0/%252E%252e/x",
    "mlflow-artifacts:/0/%25252e%25252e/x",
    "mlflow-artifacts:/0/%2525252525252e./x",
    "mlflow-artifacts:/0/..%2f..%2fx",
    "mlflow-artifacts:/0/..\\..\\x",
    "mlflow-artifacts:/0/a%5c..%5cb",
    "mlflow-artifacts:/0/a?x=1",
    "mlflow-artifacts:/0/a#b",
    "mlflow-artifacts:/0/a\nb",
    "mlflow-artifacts:/0/a\0b",
    "mlflow-artifacts:/0/%00",
    "mlflow-artifacts:/0/\ud800",
    "mlflow-artifacts:/",
    "mlflow-artifacts://ml.example",
    "mlflow-artifacts://other.example/0/abc",
    "mlflow-artifacts://ml.example:81/0/abc",
    "mlflow-artifacts://user@ml.example/0/abc",
    "http://other.example/api/2.0/mlflow-artifacts/artifacts/0",
    "file:///etc",
    "s3://bucket/0",
    "",
  ])("%j takes no upload", (uri) => {
    expect(() => artifactAddress(base, uri, "a.json")).toThrow(MlflowRefusal);
  });

  it("that leads elsewhere gets no request, and so no token", async () => {
    const path = join(folder, "a.json");
    writeFileSync(path, "{}");
    const seen: (string | undefined)[] = [];
    answer = (request, response) => {
      seen.push(request.url);
      response.end("{}");
    };
    const run = (artifactUri: string) => ({ id: "1", artifactUri });
    await client().upload(run("mlflow-artifacts:/0/1/artifacts"), "a.json", path, 5000);
    expect(
      await failure(client().upload(run("mlflow-artifacts:/../../evil"), "a.json", path, 5000)),
    ).toBeInstanceOf(MlflowRefusal);
    expect(seen).toEqual(["/api/2.0/mlflow-artifacts/artifacts/0/1/artifacts/a.json"]);
  });
});

describe("a server", () => {
  const found = JSON.stringify({ experiment: { experiment_id: "7" } });

  it.each<[string, RequestListener, RegExp]>([
    [
      "that answers without end",
      (_, response) => {
        const more = () => response.destroyed || response.write("a".repeat(60_000), more);
        more();
      },
      /more than 1048576 bytes/,
    ],
    [
      "that drips",
      (_, response) => {
        const timer = setInterval(() => response.write("a"), 20);
        response.on("close", () => clearInterval(timer));
      },
      /no response in time/,
    ],
    [
      "of something else",
      (_, response) => response.end("<html>"),
      /not a response of an MLflow server/,
    ],
    [
      "whose answer lacks the id",
      (_, response) => response.end("{}"),
      /not a response of an MLflow/,
    ],
    [
      "whose id is no text",
      (_, response) => response.end('{"experiment":{"experiment_id":{"toString":1}}}'),
      /not a response of an MLflow server/,
    ],
    [
      "whose answer is nested deeply",
      (_, response) => response.end(`${"[".repeat(400_000)}${"]".repeat(400_000)}`),
      /not a response of an MLflow server/,
    ],
    [
      "whose error is nested deeply",
      (_, response) =>
        response.writeHead(400).end(`{"message":${"[".repeat(100_000)}${"]".repeat(100_000)}}`),
      /get-by-name: 400 Bad Request/,
    ],
    [
      "with a long error",
      (_, response) =>
        response.writeHead(500).end(JSON.stringify({ message: "long ".repeat(1000) })),
      /^GET experiments\/get-by-name: 500 (long ){60}$/,
    ],
    [
      "that sends on to nowhere",
      (_, response) => response.writeHead(302, { location: "http://[bad" }).end(),
      /get-by-name: 302 Found/,
    ],
  ])("%s ends the request with words", async (what, listener, message) => {
    answer = listener;
    expect(
      (await failure(client(what === "that drips" ? 300 : 20_000).experiment("Default"))).message,
    ).toMatch(message);
  });

  it("that sends on to another host does not get the token there", async () => {
    const seen: (string | undefined)[] = [];
    const other = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.end(found);
    });
    answer = (_, response) => response.writeHead(307, { location: other.url }).end();
    expect(await failure(client().experiment("Default"))).toBeInstanceOf(MlflowRefusal);
    await other.close();
    expect(seen).toEqual([]);
  });

  it("has a password with a percent sign", () => {
    const { headers } = mlflowServer({ MLFLOW_TRACKING_URI: "http://me:100%@host" });
    expect(headers["authorization"]).toBe(`Basic ${Buffer.from("me:100%").toString("base64")}`);
  });
});
