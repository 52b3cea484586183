import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";

export interface FakeRun {
  readonly id: string;
  readonly name: string;
  readonly experiment: string;
  status: string;
  endTime: number | undefined;
  readonly params: Map<string, string>;
  /** As the store keeps them: a value twice is there once. */
  readonly metrics: Map<string, { key: string; value: number; step: number }>;
}

/** As much of an MLflow server as a client of its REST API sees: limits, refusals and answers are the real one's. */
export class FakeMlflow {
  readonly runs = new Map<string, FakeRun>();
  readonly experiments = new Map<string, string>([["Default", "0"]]);
  readonly artifacts = new Map<string, Buffer>();
  /** The authorization of each request. */
  readonly asked: (string | undefined)[] = [];
  /** Answers with it as long as it is set. */
  broken: number | undefined;
  /** Leaves requests without an answer as long as it is set. */
  silent = false;

  readonly listener: RequestListener = (request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => this.#answer(request, Buffer.concat(parts), response));
  };

  /** The values of a metric, in the order of their steps. */
  history(run: FakeRun, key: string): [number, number][] {
    return [...run.metrics.values()]
      .filter((metric) => metric.key === key)
      .map(({ step, value }): [number, number] => [step, value])
      .sort(([a], [b]) => a - b);
  }

  #answer(request: IncomingMessage, body: Buffer, response: ServerResponse): void {
    this.asked.push(request.headers.authorization);
    if (this.silent) return;
    const url = new URL(request.url ?? "", "http://server");
    const path = url.pathname.replace("/api/2.0/", "");
    const give = (status: number, value: object) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
    const refuse = (code: string, message: string, status = 400) =>
      give(status, { error_code: code, message });
    if (this.broken !== undefined) return void give(this.broken, {});
    if (request.method === "PUT" && path.startsWith("mlflow-artifacts/artifacts/")) {
      this.artifacts.set(decodeURIComponent(path.slice(27)), body);
      return void give(200, {});
    }
    if (path === "mlflow/experiments/get-by-name") {
      const id = this.experiments.get(url.searchParams.get("experiment_name") ?? "");
      if (id === undefined) return void refuse("RESOURCE_DOES_NOT_EXIST", "Could not find it", 404);
      return void give(200, { experiment: { experiment_id: id } });
    }
    const asked = JSON.parse(body.toString()) as Record<string, never>;
    if (path === "mlflow/experiments/create") {
      const id = String(this.experiments.size);
      this.experiments.set(asked["name"]!, id);
      return void give(200, { experiment_id: id });
    }
    if (path === "mlflow/runs/create") {
      const id = String(this.runs.size + 1).padStart(32, "0");
      const [name, experiment] = [asked["run_name"]!, asked["experiment_id"]!];
      this.runs.set(id, {
        ...{ id, name, experiment, status: "RUNNING", endTime: undefined },
        ...{ params: new Map(), metrics: new Map() },
      });
      const uri = `mlflow-artifacts:/${experiment}/${id}/artifacts`;
      return void give(200, { run: { info: { run_id: id, artifact_uri: uri } } });
    }
    const run = this.runs.get(asked["run_id"] ?? "");
    if (run === undefined) return void refuse("RESOURCE_DOES_NOT_EXIST", "no such run", 404);
    if (path === "mlflow/runs/update") {
      run.status = asked["status"]!;
      run.endTime = asked["end_time"];
      return void give(200, {});
    }
    const { metrics = [], params = [] } = asked as unknown as {
      metrics?: { key: string; value: number | string; step: number }[];
      params?: { key: string; value: string }[];
    };
    if (metrics.length > 1000 || params.length > 100) {
      return void refuse("INVALID_PARAMETER_VALUE", "too many at once");
    }
    for (const { key, value } of params) {
      if ((run.params.get(key) ?? value) !== value) {
        return void refuse("INVALID_PARAMETER_VALUE", `changing ${key} is not allowed`);
      }
      run.params.set(key, value);
    }
    for (const { key, value, step } of metrics) {
      if (value === null || !/^[\w\-. /]{1,250}$/.test(key)) {
        return void refuse("INVALID_PARAMETER_VALUE", `bad metric ${key}`);
      }
      run.metrics.set(`${key} ${step} ${value}`, { key, step, value: Number(value) });
    }
    give(200, {});
  }
}
