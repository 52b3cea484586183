import { existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ThawError } from "../errors.ts";
import { withLock } from "./lock.ts";

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "thaw-lock-"));
  file = join(folder, "a.lock");
});
afterEach(() => rmSync(folder, { recursive: true }));

test("bodies run one after another, never together", async () => {
  let inside = 0;
  let most = 0;
  const body = async () => {
    inside += 1;
    most = Math.max(most, inside);
    await new Promise((resolve) => setTimeout(resolve, 20));
    inside -= 1;
  };
  await Promise.all(Array.from({ length: 5 }, () => withLock(file, body)));
  expect(most).toBe(1);
  expect(existsSync(file)).toBe(false);
});

test("a failing body gives the lock back", async () => {
  await expect(withLock(file, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(existsSync(file)).toBe(false);
});

test("the lock of a process that is gone is taken over", async () => {
  // Beyond the largest process id of Linux.
  writeFileSync(file, `process 99999999 on ${hostname()}`);
  expect(await withLock(file, async () => "done", { waitMs: 0 })).toBe("done");
});

test.skipIf(process.platform !== "linux")(
  "the lock of an earlier process with the id of a living one is taken over",
  async () => {
    writeFileSync(file, `process ${process.pid} (start 1) on ${hostname()}`);
    expect(await withLock(file, async () => "done", { waitMs: 0 })).toBe("done");
  },
);

test("a holder on this machine is refused at once where the caller says how", async () => {
  const refuse = (holder: string) => new ThawError(`taken by ${holder}`);
  await withLock(file, async () => {
    const second = withLock(file, async () => {}, { refuse });
    await expect(second).rejects.toThrow(`taken by ${readFileSync(file, "utf8")}`);
  });
  expect(existsSync(file)).toBe(false);
});

test("another machine's lock is taken over once its heartbeat has stopped", async () => {
  writeFileSync(file, "process 1 on elsewhere");
  await expect(withLock(file, async () => "done", { waitMs: 0 })).rejects.toThrow(
    /still held by process 1 on elsewhere/,
  );
  const past = new Date(Date.now() - 120_000);
  utimesSync(file, past, past);
  expect(await withLock(file, async () => "done", { waitMs: 0 })).toBe("done");
});

test("the holder is named to those who wait", async () => {
  const waited: string[] = [];
  await withLock(file, async () => {
    const holder = readFileSync(file, "utf8");
    const second = withLock(file, async () => {}, {
      waitMs: 150,
      onWait: (who) => waited.push(who),
    });
    await expect(second).rejects.toThrow(holder);
    expect(waited).toEqual([holder]);
  });
});

test("a folder that cannot be written is an error that says so", async () => {
  writeFileSync(file, "");
  await expect(withLock(join(file, "b.lock"), async () => {})).rejects.toThrow(
    /a\.lock: cannot be written: something else of this name is there/,
  );
});
