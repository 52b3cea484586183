import { existsSync, readFileSync } from "node:fs";
import { z } from "zod";
import { writeDurably } from "../../../platform/durable.ts";

const journalSchema = z.object({
  /** The server's address without credentials, and the experiment. */
  server: z.string(),
  experiment: z.string(),
  runId: z.string(),
  artifactUri: z.string(),
  /** Are the settings there? */
  params: z.boolean(),
  /** The last step and epoch whose numbers are there. */
  step: z.int().min(0),
  epoch: z.int().min(0),
  /** The last status that was told. */
  status: z.string(),
  /** Files that are there, with their size and time when they were sent. */
  files: z.record(z.string(), z.string()),
});

/** `mlflow.json`: what of a run the server has. All else is still to be sent. */
export type Journal = z.infer<typeof journalSchema>;

/** Undefined where nothing was sent to this server and experiment yet, or the file is damaged. */
export function readJournal(
  path: string,
  server: { readonly url: string; readonly experiment: string },
): Journal | undefined {
  if (!existsSync(path)) return undefined;
  try {
    const journal = journalSchema.parse(JSON.parse(readFileSync(path, "utf8")));
    const isOurs = journal.server === server.url && journal.experiment === server.experiment;
    return isOurs ? journal : undefined;
  } catch {
    return undefined;
  }
}

export function writeJournal(path: string, journal: Journal): void {
  writeDurably(path, `${JSON.stringify(journal, null, 2)}\n`);
}
