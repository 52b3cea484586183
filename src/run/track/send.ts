import { readRun } from "../read.ts";
import { withRunLock } from "../run-lock.ts";
import { mlflowServer } from "./mlflow/server.ts";
import { MlflowTracker } from "./mlflow/tracker.ts";
import { flatParams } from "./params.ts";

/**
 * Sends to MLflow what it does not have of a run's record, however much that is.
 * @throws UsageError where no server is named; ThawError where it does not answer, or the run is being trained.
 */
export async function sendToMlflow(
  dir: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<{ readonly runId: string; readonly url: string }> {
  const server = mlflowServer(env);
  return withRunLock(dir, async () => {
    const { config, summary } = readRun(dir);
    const note = () => {};
    const tracker = new MlflowTracker({
      ...{ dir, params: flatParams(config), server, note, now: Date.now },
    });
    return { ...(await tracker.send(summary)), url: server.url };
  });
}
