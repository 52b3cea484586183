import { createReadStream, statSync } from "node:fs";
import { Readable } from "node:stream";
import { z } from "zod";
import { ThawError } from "../../../errors.ts";
import { parseUrl, type RequestOptions, readText, requestOnce } from "../../../platform/http.ts";
import { artifactAddress } from "./artifacts.ts";
import { MlflowRefusal } from "./refusal.ts";
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

/** Its answers are a few hundred bytes. */
const MAX_ANSWER_BYTES = 1 << 20;
/** Milliseconds: a server that passes a large file on to its store says nothing meanwhile. */
const UPLOAD_STALL = 300_000;
/** Of the server's own words in a message. */
const MAX_WORDS = 300;

const id = z.string().min(1).max(250);
const foundSchema = z.object({ experiment: z.object({ experiment_id: id }) });
const madeSchema = z.object({ experiment_id: id });
const runSchema = z.object({
  run: z.object({ info: z.object({ run_id: id, artifact_uri: z.string().max(4096) }) }),
});
const errorSchema = z.object({
  error_code: z.string().optional(),
  message: z.string().optional(),
});

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
      return (await this.#ask("GET", query, foundSchema)).experiment.experiment_id;
    };
    try {
      return await find();
    } catch (error) {
      if (codeOf(error) !== "RESOURCE_DOES_NOT_EXIST") throw error;
    }
    try {
      const made = await this.#ask("POST", "experiments/create", madeSchema, { name });
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
    const answer = await this.#ask("POST", "runs/create", runSchema, {
      experiment_id: experiment,
      run_name: run.name,
      start_time: run.startTime,
      tags: run.tags,
    });
    const { run_id: id, artifact_uri: artifactUri } = answer.run.info;
    return { id, artifactUri };
  }

  async logMetrics(run: string, metrics: readonly Metric[]): Promise<void> {
    const texts = metrics.map(({ value, ...metric }) => ({ ...metric, value: jsonNumber(value) }));
    await this.#ask("POST", "runs/log-batch", z.unknown(), { run_id: run, metrics: texts });
  }

  async logParams(run: string, params: readonly KeyValue[]): Promise<void> {
    for (let i = 0; i < params.length; i += MOST_PARAMS) {
      const some = params.slice(i, i + MOST_PARAMS);
      await this.#ask("POST", "runs/log-batch", z.unknown(), { run_id: run, params: some });
    }
  }

  async updateRun(run: string, status: MlflowStatus, endTime?: number): Promise<void> {
    await this.#ask("POST", "runs/update", z.unknown(), {
      run_id: run,
      status,
      ...(endTime !== undefined && { end_time: endTime }),
    });
  }

  /**
   * Sends a file to where the server keeps the run's artifacts, through the server. `milliseconds` is for the whole of it.
   * @throws MlflowRefusal where the server leaves that to its clients, or names a place that is not among its artifacts.
   */
  async upload(run: MlflowRun, name: string, path: string, milliseconds: number): Promise<void> {
    const address = artifactAddress(this.#server.url, run.artifactUri, name);
    const { size } = statSync(path);
    // What is appended meanwhile is the next upload's.
    const body = () => (size === 0 ? Readable.from([]) : createReadStream(path, { end: size - 1 }));
    await this.#send("PUT", address, milliseconds, body, { "content-length": String(size) });
  }

  async #ask<T>(
    method: "GET" | "POST",
    path: string,
    schema: z.ZodType<T>,
    content?: object,
  ): Promise<T> {
    const body = content && JSON.stringify(content);
    const headers: Record<string, string> = content ? { "content-type": "application/json" } : {};
    const address = parseUrl(`${this.#server.url}/api/2.0/mlflow/${path}`);
    const text = await this.#send(method, address, this.#timeout, body, headers);
    const parsed = schema.safeParse(text === "" ? {} : jsonOf(text));
    if (parsed.success) return parsed.data;
    throw new ThawError(
      `${method} ${path.replace(/\?.*/, "")}: this is not a response of an MLflow server`,
    );
  }

  async #send(
    method: "GET" | "POST" | "PUT",
    address: URL,
    milliseconds: number,
    body: RequestOptions["body"],
    headers: Readonly<Record<string, string>>,
  ): Promise<string> {
    const response = await requestOnce(address, {
      method,
      body,
      headers: { ...this.#server.headers, ...headers },
      limits: { totalMs: milliseconds, stallMs: UPLOAD_STALL },
    });
    const text = await readText(response, MAX_ANSWER_BYTES);
    const { statusCode: status = 0, statusMessage } = response;
    if (status >= 200 && status < 300) return text;
    const { error_code: code, message } = errorSchema.safeParse(jsonOf(text)).data ?? {};
    const place = address.pathname.replace(/^.*\/api\/2\.0\/(mlflow\/)?/, "");
    const words = (message ?? statusMessage ?? "").slice(0, MAX_WORDS);
    // A redirect is refused, too: to a log-in page, and with it a POST would become a GET.
    const what = `${method} ${place}: ${status} ${words}`;
    // These pass: a server that starts, is overloaded or is being replaced.
    const isPassing = status >= 500 || status === 429 || status === 408;
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

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
