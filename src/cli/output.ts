import pc from "picocolors";

const onTerminal = process.stderr.isTTY === true && !process.env["NO_COLOR"];

/** Colours for stderr: none where it is no terminal or NO_COLOR is set. */
export const colors = pc.createColors(onTerminal);

/** A line for people, on stderr: stdout is for results. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** The one JSON document of `--json`, on stdout. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
