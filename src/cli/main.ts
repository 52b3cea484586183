#!/usr/bin/env node
import { ExitCode } from "../errors.ts";
import { reportError, run } from "./frame.ts";

// `thaw … | head`: the reader has had enough, which is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});

// Node would open a debugger. Commands that stop in their own way listen themselves.
process.on("SIGUSR1", () => {
  if (process.listenerCount("SIGUSR1") === 1) process.exit(ExitCode.preempted);
});

const args = process.argv.slice(2);
try {
  await run(args);
} catch (error) {
  // At once: threads or timers of what has failed must not keep the process alive.
  process.exit(reportError(error, args.includes("--debug")));
}
