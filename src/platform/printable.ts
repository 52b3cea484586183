/**
 * Text that may hold names of files and classes or answers of servers, as a terminal may have it: characters that command
 * a terminal (C0, C1) or change the order of what follows (bidirectional overrides) are written out, as `\x1b`. Line
 * breaks and tabs stay.
 */
export function printable(text: string): string {
  return text.replaceAll(/(?![\n\t])\p{Cc}|[\u202a-\u202e\u2066-\u2069]/gu, writtenOut);
}

/** The same for a name, of which line breaks would make lines of their own. */
export function printableLine(text: string): string {
  return printable(text).replaceAll(/[\n\t\u2028\u2029]/g, writtenOut);
}

/** JSON that says the same and may go to a terminal. `text` has such characters in strings only. */
export function printableJson(text: string): string {
  // JSON itself has no raw C0 in strings; between them stand line breaks.
  return text.replaceAll(
    /[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${hexOf(character, 4)}`,
  );
}

function writtenOut(character: string): string {
  const code = character.codePointAt(0)!;
  return code < 256 ? `\\x${hexOf(character, 2)}` : `\\u${hexOf(character, 4)}`;
}

function hexOf(character: string, digits: number): string {
  return character.codePointAt(0)!.toString(16).padStart(digits, "0");
}
