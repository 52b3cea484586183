import { expect, test } from "vitest";
import { UsageError } from "../../errors.ts";
import { decodeText } from "./text.ts";

const text = "path,label\nimg/0.png,Bär\nimg/1.png,日本\n";
const utf16 = (value: string) => Buffer.from(value, "utf16le");
const big = (value: string) => utf16(value).swap16();

test.each([
  ["UTF-8", Buffer.from(text)],
  ["UTF-8 with a byte order mark", Buffer.from(`\ufeff${text}`)],
  ["UTF-16LE", utf16(`\ufeff${text}`)],
  ["UTF-16BE", big(`\ufeff${text}`)],
  ["UTF-16LE without a mark", utf16(text)],
  ["UTF-16BE without a mark", big(text)],
])("%s is read as it is", (_, bytes) => {
  expect(decodeText(bytes, "a.csv")).toEqual({ text, notes: [] });
});

// As Python's cp1252 codec has them.
test.each([
  ["Bär", "42e472"],
  ["café", "636166e9"],
  ["naïve – Œuvre", "6e61ef76652096208c75767265"],
  ["Piña’s", "5069f1619273"],
  ["Größe 38 €", "4772f6df652033382080"],
  ["Smørrebrød", "536df87272656272f864"],
  ["ŠKODA Žižkov", "8a4b4f4441208e699e6b6f76"],
])("Western names in Windows-1252 are read, and said: %s", (name, hex) => {
  const lines = [Buffer.from("path,label\r\n0.png,cat\r\n1.png,"), Buffer.from(hex, "hex")];
  const { text, notes } = decodeText(Buffer.concat([...lines, Buffer.from("\r\n")]), "a.csv");
  expect(text).toBe(`path,label\r\n0.png,cat\r\n1.png,${name}\r\n`);
  expect(notes).toEqual([
    `read as Windows-1252: line 3 is "1.png,${name}"; if that is wrong, save a.csv as UTF-8`,
  ]);
});

test.each([
  ["Cyrillic in Windows-1251", "eaeef8eae0", 2],
  ["Greek in Windows-1253", "f3eaddebefe2", 2],
  ["Chinese in GBK", "b9b7", 2],
  ["Japanese in Shift-JIS", "8ca2", 2],
  ["a byte that Windows-1252 has not", "42908d72", 2],
  ["UTF-8 with one byte of another encoding", "42c3a472e4", 2],
])("%s is refused with the line", (_, hex, line) => {
  const bytes = Buffer.concat([
    Buffer.from("path,label\n0.png,"),
    Buffer.from(hex as string, "hex"),
    Buffer.from("\n"),
  ]);
  const act = () => decodeText(bytes, "a.csv");
  expect(act).toThrow(UsageError);
  expect(act).toThrow(`a.csv: line ${line}: is neither UTF-8 nor Windows-1252 text (bytes `);
});

test.each([
  [Buffer.concat([Buffer.from("\ufeffa\nb"), Buffer.from([0xe4])]), "line 2: starts as UTF-8"],
  [Buffer.concat([utf16("\ufeffa,b\n"), Buffer.from([0x41])]), "line 2: is not valid UTF-16"],
  [utf16("\ufeffa\n\ud83d,b"), "line 2: is not valid UTF-16"],
  [Buffer.concat([big("\ufeffa,b\n"), Buffer.from([0x41])]), "ends within a character"],
  [Buffer.from([0xff, 0xfe, 0, 0, 0x61, 0, 0, 0]), "is UTF-32 text"],
  [Buffer.from("path,label\n1.jpg,\0\n"), "is not a CSV: it contains zero bytes"],
])("%# no text is refused", (bytes, message) => {
  expect(() => decodeText(bytes, "a.csv")).toThrow(message);
});
