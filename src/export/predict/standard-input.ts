import { Readable } from "node:stream";
import { sniffFormat } from "../../data/images/sniff.ts";
import { ThawError, UsageError } from "../../errors.ts";

/** A picture that lies in no file. */
export interface PictureBytes {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** What is looked at to tell an image from names. */
const HEAD = 4096;
/** An image of more compressed bytes is none that could be decoded. */
const MOST = 2 ** 29;

/**
 * What standard input is: one image, or else text, to be read on from its beginning. The content decides: no name has a zero
 * byte in it, and no name begins as a JPEG does.
 * @throws UsageError for bytes that are neither.
 */
export async function readStandardInput(
  stdin: Readable,
  onNote?: (text: string) => void,
): Promise<PictureBytes | Readable> {
  const chunks = stdin[Symbol.asyncIterator]() as AsyncIterator<Buffer | string, undefined>;
  const parts: Buffer[] = [];
  let length = 0;
  const readOn = async (): Promise<boolean> => {
    const { value, done } = await chunks.next();
    if (done || value === undefined) return false;
    parts.push(Buffer.from(value));
    length += parts.at(-1)!.length;
    return true;
  };
  // A person may type names, line by line: no more is waited for than one has.
  while (length < HEAD && !isLines(parts) && (await readOn()));
  const head = Buffer.concat(parts).subarray(0, HEAD);
  if (!isImage(head)) {
    refuseBinary(head);
    return Readable.from(rest(parts, chunks), { objectMode: false });
  }
  while (await readOn()) {
    if (length > MOST) {
      throw new ThawError(`standard input: an image of more than ${MOST} bytes is not read`);
    }
  }
  const bytes = Buffer.concat(parts);
  if (hasAnother(bytes)) {
    onNote?.(
      "standard input has more than one image: only the first is used; for several, name their files",
    );
  }
  return { name: "-", bytes };
}

function isLines(parts: readonly Buffer[]): boolean {
  const head = Buffer.concat(parts);
  return head.at(-1) === 0x0a && sniffFormat(head) === undefined && !head.includes(0);
}

function isImage(head: Buffer): boolean {
  const found = head.length === 0 ? undefined : sniffFormat(head);
  if (found === undefined || !("format" in found)) return false;
  // "BMW.jpg" and "P5" are names, too.
  const isNetpbm = /^P[1-6]\s+(#.*\n\s*)*\d+\s+\d+\s/.test(head.toString("latin1"));
  return head.includes(0) || head[0]! >= 0x80 || isNetpbm;
}

function refuseBinary(head: Buffer): void {
  const isText = !head.includes(0) && head.subarray(0, 3).toString("latin1") !== "\xff\xd8\xff";
  if (isText) return;
  const found = sniffFormat(head);
  const what = found !== undefined && "refused" in found ? `${found.refused} data` : "binary data";
  throw new UsageError(`standard input is ${what}: neither file names nor a readable image`, {
    hint: "give one image, as in `thaw predict runs/x - < a.jpg`, or file names, one per line (find -print, not -print0)",
  });
}

async function* rest(
  parts: readonly Buffer[],
  chunks: AsyncIterator<Buffer | string, undefined>,
): AsyncGenerator<Buffer | string> {
  yield* parts;
  try {
    for (;;) {
      const { value, done } = await chunks.next();
      if (done || value === undefined) return;
      yield value;
    }
  } finally {
    await chunks.return?.();
  }
}

/** `cat a.jpg b.png`: the end of a JPEG or PNG with the beginning of another right behind it. */
function hasAnother(bytes: Buffer): boolean {
  const ends = ["\xff\xd9", "IEND\xaeB`\x82"];
  const beginnings = ["\xff\xd8\xff", "\x89PNG\r\n"];
  return ends.some((end) =>
    beginnings.some((beginning) => bytes.includes(Buffer.from(end + beginning, "latin1"))),
  );
}
