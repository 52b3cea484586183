import { createReadStream, type ReadStream } from "node:fs";
import { ThawError } from "../../../errors.ts";
import type { MlflowServer } from "./server.ts";

/** A value to log; the server keeps every one of a key. */
export interface Metric {
  readonly key: string;
  readonly value: number;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly step: number;
}

export interface KeyValue {
  readonly key: string;
  readonly value: string;
}

export type MlflowStatus = "RUNNING" | "FINISHED" | "FAILED" | "KILLED";

export interface MlflowRun {
  readonly id: string;
  readonly artifactUri: string;
}

/** What the server takes in one request. (MLflow's REST API, "Request Limits") */
export const MOST_METRICS = 1000;
export const MOST_PARAMS = 100;

/** The server refused a request: asking again will not help. */
export class MlflowRefusal extends ThawError {
  readonly code: string;

  constructor(message: string, code: string) {
    super(message);
    this.code = code;
  }
}

/** MLflow's REST API 2.0, as much of it as a run needs. Every request ends after `timeout` milliseconds at the latest. */
export class MlflowClient {
  readonly #server: MlflowServer;
  readonly #timeout: number;

  constructor(server: MlflowServer, options: { readonly timeout: number }) {
    this.#server = server;
    this.#timeout = options.timeout;
  }

  /** The experiment's id; it is made where it is not there. */
  async experiment(name: string): Promise<string> {
    const find = async () => {
      const query = `experiments/get-by-name?experiment_name=${encodeURIComponent(name)}`;
      const found = await this.#ask<{ experiment: { experiment_id: string } }>("GET", query);
      return found.experiment.experiment_id;
    };
    try {
      return await find();
    } catch (error) {
      if (codeOf(error) !== "RESOURCE_DOES_NOT_EXIST") throw error;
    }
    try {
      const made = await this.#ask<{ experiment_id: string }>("POST", "experiments/create", {
        name,
      });
      return made.experiment_id;
    } catch (error) {
      // Another run was quicker.
      if (codeOf(error) !== "RESOURCE_ALREADY_EXISTS") throw error;
      return find();
    }
  }

  async createRun(
    experiment: string,
    run: { readonly name: string; readonly startTime: number; readonly tags: readonly KeyValue[] },
  ): Promise<MlflowRun> {
    const answer = await this.#ask<{ run: { info: { run_id: string; artifact_uri: string } } }>(
      "POST",
      "runs/create",
      {
        experiment_id: experiment,
        run_name: run.name,
        start_time: run.startTime,
        tags: run.tags,
      },
    );
    const { run_id: id, artifact_uri: artifactUri } = answer.run.info;
    return { id, artifactUri };
  }

  async logMetrics(run: string, metrics: readonly Metric[]): Promise<void> {
    const texts = metrics.map(({ value, ...metric }) => ({ ...metric, value: jsonNumber(value) }));
    await this.#ask("POST", "runs/log-batch", { run_id: run, metrics: texts });
  }

  async logParams(run: string, params: readonly KeyValue[]): Promise<void> {
    for (let i = 0; i < params.length; i += MOST_PARAMS) {
      const some = params.slice(i, i + MOST_PARAMS);
      await this.#ask("POST", "runs/log-batch", { run_id: run, params: some });
    }
  }

  async updateRun(run: string, status: MlflowStatus, endTime?: number): Promise<void> {
    await this.#ask("POST", "runs/update", {
      run_id: run,
      status,
      ...(endTime !== undefined && { end_time: endTime }),
    });
  }

  /**
   * Sends a file to where the server keeps the run's artifacts, through the server. `milliseconds` is for the whole of it.
   * @throws MlflowRefusal where the server leaves that to its clients.
   */
  async upload(run: MlflowRun, name: string, path: string, milliseconds: number): Promise<void> {
    const root = /^mlflow-artifacts:(?:\/\/[^/]*)?\/+(.*)$/.exec(run.artifactUri)?.[1];
    if (root === undefined) {
      throw new MlflowRefusal(
        `the server keeps artifacts at ${run.artifactUri}, which does not go through it`,
        "NO_PROXY",
      );
    }
    const place = `${root}/${name}`.split("/").map(encodeURIComponent).join("/");
    const file = createReadStream(path);
    try {
      const body = bodyOf(file);
      await this.#send("PUT", `mlflow-artifacts/artifacts/${place}`, milliseconds, {
        body,
        duplex: "half",
      });
    } finally {
      file.destroy();
    }
  }

  async #ask<T>(method: "GET" | "POST", path: string, body?: object): Promise<T> {
    const content = body === undefined ? {} : { body: JSON.stringify(body) };
    const headers = body === undefined ? {} : { "content-type": "application/json" };
    return (await this.#send(method, `mlflow/${path}`, this.#timeout, {
      ...content,
      headers,
    })) as T;
  }

  async #send(
    method: string,
    path: string,
    milliseconds: number,
    { headers, ...rest }: RequestInit & { duplex?: "half" },
  ): Promise<unknown> {
    const response = await fetch(`${this.#server.url}/api/2.0/${path}`, {
      method,
      ...rest,
      headers: { ...this.#server.headers, ...(headers as Record<string, string>) },
      signal: AbortSignal.timeout(Math.ceil(milliseconds)),
      // With a redirect to a log-in page a POST would become a GET.
      redirect: "error",
    });
    const text = await response.text();
    if (response.ok) return text === "" ? {} : JSON.parse(text);
    const { error_code: code, message } = parseError(text);
    const what = `${method} ${path.replace(/\?.*/, "")}: ${response.status} ${message ?? response.statusText}`;
    // These pass: a server that starts, is overloaded or is being replaced.
    const isPassing = response.status >= 500 || response.status === 429 || response.status === 408;
    throw isPassing ? new ThawError(what) : new MlflowRefusal(what, code ?? "");
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof MlflowRefusal ? error.code : undefined;
}

/** JSON has no NaN; protobuf's JSON writes such numbers as texts. */
function jsonNumber(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}

function parseError(text: string): { readonly error_code?: string; readonly message?: string } {
  try {
    return JSON.parse(text) as { error_code?: string; message?: string };
  } catch {
    return {};
  }
}

/** Streamed: a model may be larger than what memory is left. Not as a web stream, whose end crashes Node 20 at times. */
function bodyOf(file: ReadStream): NonNullable<RequestInit["body"]> {
  return file as unknown as NonNullable<RequestInit["body"]>;
}
