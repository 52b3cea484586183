import { Dir, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { expect, it, vi } from "vitest";
import { listImages } from "./list-images.ts";

it("many images in one folder are read entry by entry", async () => {
  const folder = mkdtempSync(join(tmpdir(), "thaw-many-"));
  for (let i = 0; i < 5000; i++) writeFileSync(join(folder, `${i}.jpg`), "");
  const before = process.memoryUsage().heapUsed;
  const names = listImages([folder], Readable.from([]));
  for (let i = 0; i < 10; i++) expect((await names.next()).value).toMatch(/\.jpg$/);
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(1_000_000);
  await names.return(undefined);
  rmSync(folder, { recursive: true });
});

it("a folder that cannot be read on is told, and the others go on", async () => {
  const folder = mkdtempSync(join(tmpdir(), "thaw-torn-"));
  for (const name of ["a", "b"]) {
    mkdirSync(join(folder, name));
    for (let i = 0; i < 3; i++) writeFileSync(join(folder, name, `${i}.jpg`), "");
  }
  const read = vi.spyOn(Dir.prototype, "readSync");
  try {
    const listed: string[] = [];
    const names = ["a", "b"].map((name) => join(folder, name));
    for await (const path of listImages(names, Readable.from([]))) {
      listed.push(path as string);
      if (listed.length > 1) continue;
      read.mockImplementationOnce(() => {
        throw new Error("EIO: i/o error");
      });
    }
    expect(listed.map((path) => dirname(path))).toEqual([
      names[0],
      folder,
      names[1],
      names[1],
      names[1],
    ]);
    expect(listed[1]).toBe(names[0]);
  } finally {
    read.mockRestore();
    rmSync(folder, { recursive: true });
  }
});
