import { basename, dirname, join, resolve } from "node:path";
import { ThawError } from "../errors.ts";
import { withLock } from "../libtorch/index.ts";
import { runPlace } from "./run-place.ts";

/** Another machine's lock counts as abandoned after a minute without a sign of life. */
const WAIT_MS = 70_000;

/**
 * Runs `body` as the only one that writes the run in `dir`. The lock lies beside the folder, which may not
 * be there yet or be replaced; that of a process that was killed is taken over.
 * @throws ThawError that names the process that has the run.
 */
export async function withRunLock<T>(
  dir: string,
  body: () => Promise<T>,
  note?: (text: string) => void,
): Promise<T> {
  const place = resolve(dir);
  const name = basename(place);
  const file = join(dirname(place), `.${name}.lock`);
  return withLock(file, body, {
    waitMs: WAIT_MS,
    onWait: (holder) => note?.(`${name} was last written by ${holder}: waiting for a sign of life`),
    refuse: (holder) =>
      new ThawError(`the run ${name} is being written by ${holder}`, {
        hint: `Wait for it to end, or choose another --name. If there is no such process, delete ${file}.`,
      }),
    place: runPlace,
  });
}
