import { MlflowRefusal } from "./refusal.ts";

/**
 * Where a file of a run is uploaded to, through the server: below its API's folder of artifacts, whatever `uri` (the run's
 * `artifact_uri`, the server's word) says. The request carries the token.
 * @throws MlflowRefusal for a place that does not go through the server, and for one that is not among its artifacts.
 */
export function artifactAddress(server: string, uri: string, name: string): URL {
  const found = /^mlflow-artifacts:(?:\/\/([^/]*)(?:\/|$)|(?=\/[^/]|\/$))\/*(.*)$/s.exec(uri);
  const [, host = "", root = ""] = found ?? [];
  if (found === null || !isServer(host, new URL(server))) {
    const what = found === null ? "outside the server" : "on another server";
    throw new MlflowRefusal(`the server keeps artifacts at ${shown(uri)}, ${what}`, "NO_PROXY");
  }
  const segments = root.split("/").filter((segment) => segment !== "");
  if (segments.length === 0 || segments.some(isUnsafe)) {
    throw new MlflowRefusal(
      `the server gives ${shown(uri)} as the artifact location, which is refused: it may be outside the server's artifacts`,
      "BAD_ARTIFACT_URI",
    );
  }
  const place = [...segments, ...name.split("/")].map(encodeURIComponent).join("/");
  return new URL(`${server}/api/2.0/mlflow-artifacts/artifacts/${place}`);
}

/** `mlflow-artifacts://host/` names a server of its own. */
function isServer(host: string, server: URL): boolean {
  return host === "" || host === server.host || host === server.hostname;
}

/** Leads upwards, now or once a server in between has decoded it, or has characters that no path needs. */
function isUnsafe(segment: string): boolean {
  let decoded = segment;
  // What is encoded more often than this is no name.
  for (let i = 0; i < 3; i++) decoded = decodedOnce(decoded);
  return /^\.{1,2}$|[/\\?#%\p{Cc}\p{Cs}]/u.test(decoded) || /[/\\]/.test(segment);
}

function decodedOnce(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A percent sign that stays is refused.
    return text;
  }
}

function shown(uri: string): string {
  return uri.slice(0, 200);
}
