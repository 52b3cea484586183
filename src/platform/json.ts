/** Levels of lists and objects: documents of ours have less than ten, and what walks through one needs room on the stack. */
const MOST_LEVELS = 200;

/**
 * `JSON.parse` of a text that others may have written. V8 reads any depth, but what then walks through the value (schemas,
 * digests, `JSON.stringify`) ends in a RangeError that says nothing.
 * @throws SyntaxError where it is no JSON, or nested more than 200 levels deep.
 */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  requireShallow(value);
  return value;
}

/** @throws SyntaxError for a value of lists and objects that is nested more than 200 levels deep, or holds itself. */
export function requireShallow(value: unknown): void {
  // As sets: what YAML's aliases share is looked at once a level.
  let level = new Set([value]);
  for (let depth = 0; level.size > 0; depth++) {
    if (depth > MOST_LEVELS) throw new SyntaxError(`nested more than ${MOST_LEVELS} levels deep`);
    const inner = new Set<unknown>();
    for (const one of level) {
      for (const child of isNode(one) ? Object.values(one) : [])
        if (isNode(child)) inner.add(child);
    }
    level = inner;
  }
}

function isNode(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
