import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { ThawError } from "../errors.ts";
import { makeFolder, writeDurably } from "./durable.ts";
import { errorCode, explained, fileError, reasonOf, writeError } from "./system-error.ts";

const folder = mkdtempSync(join(tmpdir(), "thaw-system-error-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** As Node gives it: what it has no name for, only by number. */
function systemError(name: keyof typeof constants.errno, code: string = name): Error {
  const errno = -constants.errno[name];
  return Object.assign(new Error(`${code}: some words, write`), { code, errno, syscall: "write" });
}

const numbered = (name: keyof typeof constants.errno) =>
  systemError(name, `Unknown system error -${constants.errno[name]}`);

it.each([
  ["ENOSPC", systemError("ENOSPC"), "the disk is full", /^free some space, or choose elsewhere$/],
  ["EDQUOT", numbered("EDQUOT"), "the disk quota is used up", /^free some space/],
  ["EDQUOT", systemError("EDQUOT", "UNKNOWN"), "the disk quota is used up", /^free some space/],
  [
    "EIO",
    systemError("EIO"),
    "the disk reports an input/output error",
    /may be failing.*elsewhere/,
  ],
  ["EROFS", systemError("EROFS"), "the file system is read-only", /^choose elsewhere$/],
  ["EACCES", systemError("EACCES"), "permission denied", /write permission there, or choose else/],
  ["EFBIG", systemError("EFBIG"), "the file is larger than the file system", /^choose elsewhere$/],
  ["EMFILE", systemError("EMFILE"), "too many files are open", /ulimit -n/],
  ["ESTALE", numbered("ESTALE"), "the network file system does not respond", /mount it again/],
])("%s says why a file cannot be written, and what to do", (code, cause, why, todo) => {
  expect(errorCode(cause)).toBe(code);
  const { message, hint } = writeError(join(folder, "a"), cause, { elsewhere: "choose elsewhere" });
  expect(message).toContain(`${join(folder, "a")}: `);
  expect(message).toContain(why);
  expect(hint).toMatch(todo);
  if (code !== "ENOSPC" && code !== "EDQUOT") expect(`${message} ${hint}`).not.toMatch(/space/i);
});

it("tells how much there is room for, what is intact and what to do", () => {
  const told = writeError(join(folder, "a"), systemError("ENOSPC"), {
    ...{ bytes: 12, intact: "The last one is intact.", ifFull: "make room" },
  });
  expect(told.message).toMatch(/\/a: the disk is full: 12 bytes to write, \d+ free\. The last one/);
  expect(told.hint).toBe("make room");
});

it("of real ones: a name too long, a file where a folder should be", () => {
  const long = join(folder, "x".repeat(300));
  expect(() => writeDurably(long, "")).toThrow("the name is too long for the file system");
  writeFileSync(join(folder, "file"), "");
  expect(() => writeDurably(join(folder, "file/a"), "")).toThrow("a part of the path is a file");
  expect(() => makeFolder(join(folder, "file/a"))).toThrow("something else of this name is there");
  mkdirSync(join(folder, "taken"));
  expect(() => writeDurably(join(folder, "taken"), "")).toThrow("it is a folder");
});

it("what is no file's error stays as it is", async () => {
  const ours = new ThawError("ours");
  const bug = new TypeError("bug");
  expect([explained("a", ours), explained("a", bug)]).toEqual([ours, bug]);
  expect([fileError(ours), fileError(bug)]).toEqual([undefined, undefined]);
  const refused = Object.assign(new Error("connect ECONNREFUSED"), {
    ...{ code: "ECONNREFUSED", errno: -111, syscall: "connect" },
  });
  expect(fileError(refused)).toBeUndefined();
  const gone = await writeFile(join(folder, "no/such/a"), "").catch((error: unknown) => error);
  expect(fileError(gone)?.message).toBe(
    `${join(folder, "no/such/a")}: there is no such file or folder (open)`,
  );
  // Of a file that is open, Node does not say which.
  expect(fileError(systemError("ENOSPC"))?.message).toBe(
    "a file cannot be written: the disk is full (write)",
  );
  expect(reasonOf(bug)).toBe("bug");
});
