/**
 * The first key that stands twice in one object of a JSON text, which JSON.parse passes over in silence; `text` is
 * valid JSON. Undefined where every key stands once.
 */
export function duplicateKey(text: string): string | undefined {
  /** The keys seen in each open object; null for an open array. */
  const open: (Set<string> | null)[] = [];
  let expectsKey = false;
  for (let i = 0; i < text.length; i++) {
    switch (text[i]) {
      case "{":
        open.push(new Set());
        expectsKey = true;
        break;
      case "[":
        open.push(null);
        expectsKey = false;
        break;
      case "}":
      case "]":
        open.pop();
        expectsKey = false;
        break;
      case ",":
        expectsKey = open.at(-1) !== null;
        break;
      case '"': {
        const end = stringEnd(text, i);
        const keys = open.at(-1);
        if (expectsKey && keys) {
          const key = JSON.parse(text.slice(i, end)) as string;
          if (keys.has(key)) return key;
          keys.add(key);
        }
        expectsKey = false;
        i = end - 1;
        break;
      }
    }
  }
  return undefined;
}

/** Past the quote that closes the string which begins at `start`. */
function stringEnd(text: string, start: number): number {
  let i = start + 1;
  while (text[i] !== '"') i += text[i] === "\\" ? 2 : 1;
  return i + 1;
}
