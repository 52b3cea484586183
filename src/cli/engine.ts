import { createInterface } from "node:readline/promises";
import { type Host, thisHost } from "../libtorch/host.ts";
import { ensureNative, type Native } from "../libtorch/index.ts";
import { say } from "./output.ts";

/** Answers a question; the answer decides whether packages are installed. */
export type Ask = (question: string) => Promise<boolean>;

/** This machine, where packages are installed only after a person who sits at the terminal has agreed. */
export function askingHost(options: { ask?: Ask | undefined } = {}): Host {
  const ask = options.ask ?? (isPersonThere() ? askPerson : undefined);
  return thisHost(ask && { mayInstall: onceAsked(ask) });
}

/** The engine for a command that computes: set up if need be, as {@link askingHost} allows. */
export function ensureEngine(): Promise<Native> {
  return ensureNative({ log: say, host: askingHost() });
}

/** Asks for packages that were not asked for before; an answer holds for the whole process. */
function onceAsked(ask: Ask): Host["mayInstall"] {
  const answers = new Map<string, boolean>();
  return async (packages) => {
    const open = packages.filter((name) => !answers.has(name));
    if (open.length > 0) {
      const agreed = await ask(`Install ${open.join(", ")}? [Y/n] `);
      for (const name of open) answers.set(name, agreed);
    }
    return packages.every((name) => answers.get(name)) ? undefined : "not agreed to";
  };
}

/** CI systems set `CI`, some of them with a terminal at which nobody sits. */
function isPersonThere(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true && !process.env["CI"];
}

async function askPerson(question: string): Promise<boolean> {
  // Not stdout: that is the command's result.
  const reader = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = (await reader.question(question)).trim().toLowerCase();
    return answer === "" || answer === "y" || answer === "yes";
  } finally {
    reader.close();
  }
}
