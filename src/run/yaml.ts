import { parse } from "yaml";

/** Columns before a line's content, and brackets that are open: far more than a config has, far less than a stack holds. */
const DEEPEST = 100;
/** What opens a level of a block: every one moves the content to the right. */
const leading = /^(?:[ \t]|[-?:]|[&!]\S*)+/gm;

/**
 * YAML of a text that others may have written, `<<` merged.
 *
 * The parser goes down by recursion, and where the stack ends inside a regular expression V8 ends the process instead of
 * throwing, after minutes. So the levels are counted before, generously: brackets in texts count, too.
 * @throws Error where it is no YAML, or nested too deeply.
 */
export function parseYaml(text: string): unknown {
  const tooDeep = () => new SyntaxError(`nested more than ${DEEPEST} levels deep`);
  for (const [before] of text.matchAll(leading)) if (before.length > DEEPEST) throw tooDeep();
  let open = 0;
  for (const [bracket] of text.matchAll(/[[\]{}]/g)) {
    open = Math.max(0, open + (bracket === "[" || bracket === "{" ? 1 : -1));
    if (open > DEEPEST) throw tooDeep();
  }
  return parse(text, { merge: true });
}
