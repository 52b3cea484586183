import { isUtf8 } from "node:buffer";
import { UsageError } from "../../errors.ts";

export interface DecodedText {
  /** Without a byte order mark. */
  readonly text: string;
  /** Where the encoding was concluded from the letters. */
  readonly notes: readonly string[];
}

/**
 * The text of a file that people's programs wrote: UTF-8 with or without a byte order mark, UTF-16, or Windows-1252. No
 * byte is replaced: what is none of these is refused.
 * @throws UsageError that names the line.
 */
export function decodeText(bytes: Buffer, file: string): DecodedText {
  if (startsWith(bytes, 0xff, 0xfe, 0, 0) || startsWith(bytes, 0, 0, 0xfe, 0xff)) {
    throw new UsageError(`${file}: is UTF-32 text`, { hint: "save it as UTF-8" });
  }
  if (startsWith(bytes, 0xef, 0xbb, 0xbf))
    return { text: utf8(bytes.subarray(3), file), notes: [] };
  if (startsWith(bytes, 0xff, 0xfe)) return { text: utf16(bytes.subarray(2), file), notes: [] };
  if (startsWith(bytes, 0xfe, 0xff)) {
    return { text: utf16(swapped(bytes.subarray(2), file), file), notes: [] };
  }
  // The first two letters of a header are ASCII.
  const [a, b, c, d] = bytes;
  if (a && b === 0 && c && d === 0) return { text: utf16(bytes, file), notes: [] };
  if (a === 0 && b && c === 0 && d) return { text: utf16(swapped(bytes, file), file), notes: [] };
  if (bytes.includes(0)) throw new UsageError(`${file}: is not a CSV: it contains zero bytes`);
  if (isUtf8(bytes)) return { text: bytes.toString("utf8"), notes: [] };
  return windows1252(bytes, file);
}

/** The number of the line, from 1, that a place in a text is in. */
function lineAt(text: string, at: number): number {
  return (text.slice(0, at).match(/\r\n|\r|\n/g)?.length ?? 0) + 1;
}

function startsWith(bytes: Buffer, ...head: number[]): boolean {
  return head.every((byte, i) => bytes[i] === byte);
}

function utf8(bytes: Buffer, file: string): string {
  if (isUtf8(bytes)) return bytes.toString("utf8");
  throw refused(file, bytes, /[\x80-\xff]/, "starts as UTF-8 text but is not valid UTF-8");
}

function utf16(bytes: Buffer, file: string): string {
  const text = bytes.toString("utf16le");
  const lone = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.exec(text);
  if (lone === null && bytes.length % 2 === 0) return text;
  const line = lineAt(text, lone?.index ?? text.length);
  throw new UsageError(`${file}: line ${line}: is not valid UTF-16 text`, { hint: SAVE });
}

function swapped(bytes: Buffer, file: string): Buffer {
  if (bytes.length % 2 === 0) return Buffer.from(bytes).swap16();
  throw new UsageError(`${file}: its UTF-16 text ends within a character`, { hint: SAVE });
}

/** What Windows-1252 has at 0x80 to 0x9f; at the five that are blank it has nothing. */
const high = "€ ‚ƒ„…†‡ˆ‰Š‹Œ Ž  ‘’“”•–—˜™š›œ žŸ";
const letter = "[À-ÖØ-öø-ÿŠšŽžŒœŸƒªº]";
/**
 * What Western text in Windows-1252 does not have: bytes without a letter, symbols of no use in names, three letters beyond
 * ASCII in a row (Cyrillic or Chinese text in its own encoding), or whole letters in UTF-8.
 */
const foreign = new RegExp(
  [
    "[\\x81\\x8d\\x8f\\x90\\x9d¤¦¨¬¯¸¶¥¢†‡ˆ˜¹]",
    "[”‰›•…]\\w",
    `${letter}{3}`,
    "[\\xc2-\\xdf][\\x80-\\xbf](?![a-z])",
  ].join("|"),
);

function windows1252(bytes: Buffer, file: string): DecodedText {
  const raw = bytes.toString("latin1");
  const text = raw.replace(/[\x80-\x9f]/g, (byte) => {
    const own = high[byte.charCodeAt(0) - 0x80]!;
    return own === " " ? byte : own;
  });
  const mixed = /[\xc3][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}/.exec(raw);
  const odd = mixed ?? foreign.exec(text);
  if (odd !== null) throw refused(file, bytes, odd.index, "is neither UTF-8 nor Windows-1252 text");
  const first = text.search(/\P{ASCII}/u);
  const [before, after] = [text.slice(0, first), text.slice(first)];
  const shown = `${/[^\r\n]*$/.exec(before)![0]}${/^[^\r\n]*/.exec(after)![0]}`.slice(0, 80);
  const note = `read as Windows-1252: line ${lineAt(text, first)} is ${JSON.stringify(shown)}; if that is wrong, save ${file} as UTF-8`;
  return { text, notes: [note] };
}

const SAVE = "save it as UTF-8 (Excel: “CSV UTF-8”; iconv -f CP1251 -t UTF-8 for Cyrillic text)";

function refused(file: string, bytes: Buffer, where: RegExp | number, what: string): UsageError {
  const raw = bytes.toString("latin1");
  const at = typeof where === "number" ? where : raw.search(where);
  const near = bytes
    .subarray(at, at + 4)
    .toString("hex")
    .replaceAll(/(..)(?=.)/g, "$1 ");
  return new UsageError(`${file}: line ${lineAt(raw, at)}: ${what} (bytes ${near})`, {
    hint: SAVE,
  });
}
