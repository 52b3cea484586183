import { availableParallelism } from "node:os";
import { Readable } from "node:stream";
import { ZipFile } from "yazl";

/** A file of an archive, made when its turn comes. */
export interface ZipMember {
  /** With slashes, below the archive's root. */
  readonly path: string;
  /** False for what is compressed already. */
  readonly compress: boolean;
  readonly make: () => Promise<Uint8Array>;
}

/** The first day that zip knows, by the local clock, as zip counts: the same bytes in every zone. */
const FIRST_DAY = new Date(1980, 0, 1);

/**
 * The bytes of a zip archive of `members`, in their order, with nothing in it of the clock or the machine. A few members
 * are made ahead of the one that is written, and let go when they are; `ending` is made when all of them are. What one
 * throws ends the stream.
 */
export function zipStream(members: readonly ZipMember[], ending: ZipMember): Readable {
  const zip = new ZipFile();
  const stream = zip.outputStream as Readable;
  const add = ({ path, compress }: ZipMember, made: () => Promise<Uint8Array>) => {
    const options = { mtime: FIRST_DAY, mode: 0o100644, forceDosTimestamp: true, compress };
    zip.addReadStreamLazy(path, options, (give) => {
      made().then(
        (bytes) => give(null, Readable.from([bytes], { objectMode: false })),
        (cause: Error) => stream.destroy(cause),
      );
    });
  };
  const next = readAhead(members.map(({ make }) => make));
  for (const member of members) add(member, next);
  add(ending, ending.make);
  zip.on("error", (cause: Error) => stream.destroy(cause));
  zip.end();
  return stream;
}

/** Results in order, of which so many are in the making at once. */
function readAhead<T>(
  makers: readonly (() => Promise<T>)[],
  atOnce = 2 * availableParallelism(),
): () => Promise<T> {
  const begun: Promise<T>[] = [];
  let at = 0;
  return () => {
    while (begun.length < atOnce && at < makers.length) {
      const made = makers[at++]!();
      // Whoever asks for it is told; until then it is no one's.
      made.catch(() => {});
      begun.push(made);
    }
    return begun.shift()!;
  };
}
