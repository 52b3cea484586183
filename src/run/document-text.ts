import { parse as parseYaml } from "yaml";

/** Brackets that are open, and columns before a line's content: far more than a config has, far less than a stack holds. */
const MOST_LEVELS = 100;
/** What opens a level of a YAML block: each moves the content to the right. */
const leading = /^(?:[ \t]|[-?:]|[&!]\S*)+/gm;

/**
 * The value of a config's text, JSON or YAML with `<<` merged.
 *
 * Levels are counted before it is parsed, generously: brackets inside strings count, too. YAML's parser goes down by
 * recursion; nested without end it takes minutes and all memory, and where the stack ends inside a regular expression V8
 * ends the process instead of throwing.
 * @throws Error where it is neither, or nested too deeply.
 */
export function parseDocumentText(text: string, kind: "json" | "yaml"): unknown {
  const tooDeep = () => new SyntaxError(`nested more than ${MOST_LEVELS} levels deep`);
  let open = 0;
  for (const [bracket] of text.matchAll(/[[\]{}]/g)) {
    open = Math.max(0, open + (bracket === "[" || bracket === "{" ? 1 : -1));
    if (open > MOST_LEVELS) throw tooDeep();
  }
  // YAML 1.2 holds JSON too, but its messages for a JSON file would speak of YAML.
  if (kind === "json") return JSON.parse(text);
  for (const [before] of text.matchAll(leading)) if (before.length > MOST_LEVELS) throw tooDeep();
  return parseYaml(text, { merge: true });
}
