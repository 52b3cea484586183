import { chdir, cwd } from "node:process";
import { vi } from "vitest";
import { reportError, run } from "../../src/cli/frame.ts";
import type { Outcome } from "./thaw-process.ts";

/** Runs `thaw` in this process, in the folder `at`: the same code, without a start of Node and libtorch for each call. */
export async function thawHere(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  at = cwd(),
): Promise<Outcome> {
  const before = { folder: cwd(), exitCode: process.exitCode, env: { ...process.env } };
  const told = { stdout: "", stderr: "" };
  const listen = (stream: "stdout" | "stderr") =>
    vi.spyOn(process[stream], "write").mockImplementation((text) => {
      told[stream] += String(text);
      return true;
    });
  const spies = [listen("stdout"), listen("stderr")];
  Object.assign(process.env, { NO_COLOR: "1", THAW_MIRROR: "", ...env });
  chdir(at);
  process.exitCode = undefined;
  try {
    await run(args);
    return { code: Number(process.exitCode ?? 0), ...told };
  } catch (error) {
    return { code: reportError(error, false), ...told };
  } finally {
    for (const spy of spies) spy.mockRestore();
    chdir(before.folder);
    process.exitCode = before.exitCode;
    process.env = before.env;
  }
}
