/** A flag's names with commas between them, as commander is to read it. */
export function nameList(text: string): string[] {
  return text.split(",").map((name) => name.trim());
}
