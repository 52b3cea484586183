import { randomUUID } from "node:crypto";
import { printable, printableJson } from "../platform/printable.ts";

const onTerminal = process.stderr.isTTY === true && !process.env["NO_COLOR"];

/** Stands for ESC in our own colours until a line is written: what comes from outside cannot contain it. */
const ownEscape = randomUUID();

const paint =
  (on: number, off: number) =>
  (text: string): string =>
    onTerminal ? `${ownEscape}[${on}m${text}${ownEscape}[${off}m` : text;

/** Colours for `say`: none where stderr is no terminal or NO_COLOR is set. */
export const colors = {
  bold: paint(1, 22),
  dim: paint(2, 22),
  red: paint(31, 39),
  green: paint(32, 39),
  yellow: paint(33, 39),
};

/** A line for people, on stderr: stdout is for results. Control characters in it are written out. */
export function say(line: string): void {
  process.stderr.write(`${printable(line).replaceAll(ownEscape, "\x1b")}\n`);
}

/** A result for people, on stdout. Control characters in it are written out. */
export function printText(text: string): void {
  process.stdout.write(printable(text));
}

/** The one JSON document of `--json`, on stdout. */
export function printJson(value: unknown): void {
  process.stdout.write(`${printableJson(JSON.stringify(value, null, 2))}\n`);
}

/** A message of several lines: those after the first stand inwards, so that no name can forge a line of ours. */
export function indented(message: string): string {
  return message.replaceAll("\n", "\n  ");
}
