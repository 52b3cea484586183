import { UsageError } from "../../../errors.ts";

/** Where an MLflow server is and who asks it. */
export interface MlflowServer {
  /** Without a slash at its end. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly experiment: string;
}

/**
 * The server that MLflow's own variables name: MLFLOW_TRACKING_URI, MLFLOW_TRACKING_TOKEN or MLFLOW_TRACKING_USERNAME and
 * MLFLOW_TRACKING_PASSWORD, MLFLOW_EXPERIMENT_NAME.
 * @throws UsageError where they name none that is reached by HTTP.
 */
export function mlflowServer(env: Readonly<Record<string, string | undefined>>): MlflowServer {
  const given = env["MLFLOW_TRACKING_URI"];
  const hint = "set it to the server's address, as http://127.0.0.1:5000";
  if (!given) throw new UsageError("--track mlflow: MLFLOW_TRACKING_URI is not set", { hint });
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new UsageError(`MLFLOW_TRACKING_URI: "${withoutPassword(given)}" is no HTTP address`, {
      hint: `${hint}; files and databases are MLflow's own to write`,
    });
  }
  const user = env["MLFLOW_TRACKING_USERNAME"] ?? decoded(url.username);
  const password = env["MLFLOW_TRACKING_PASSWORD"] ?? decoded(url.password);
  const token = env["MLFLOW_TRACKING_TOKEN"];
  // The order in which MLflow's client prefers them.
  const authorization = user
    ? `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`
    : token && `Bearer ${token}`;
  return {
    url: `${url.origin}${url.pathname.replace(/\/+$/, "")}`,
    headers: authorization ? { authorization } : {},
    experiment: env["MLFLOW_EXPERIMENT_NAME"] || "Default",
  };
}

/** As it is where it is no encoded text: a password may have a percent sign. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function withoutPassword(address: string): string {
  return address.replace(/\/\/[^/@]*@/, "//…@");
}
