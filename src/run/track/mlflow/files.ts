import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

export interface FileToSend {
  /** Below the run's artifacts, with slashes. */
  readonly name: string;
  readonly path: string;
  /** Size and time: another one means other content. */
  readonly stamp: string;
}

/** The run's own files and its best model, the smallest first; no checkpoints, which only a resumed run needs. */
export function filesToSend(dir: string): FileToSend[] {
  const names = readdirSync(dir, { withFileTypes: true })
    .filter((entry) => entry.isFile() && /^[^.].*\.(json|jsonl|csv|txt|svg|png)$/.test(entry.name))
    .map((entry) => entry.name)
    .filter((name) => name !== "mlflow.json");
  const best = "checkpoints/best.safetensors";
  if (existsSync(join(dir, best))) names.push(best);
  return names
    .map((name) => {
      const path = join(dir, name);
      const { size, mtimeMs } = statSync(path);
      return { name, path, size, stamp: `${size} ${mtimeMs}` };
    })
    .sort((a, b) => a.size - b.size);
}
