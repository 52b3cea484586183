import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type FakeMachine, fakeLibtorch, fakeMachine } from "../../test/fake-machine.ts";
import { ThawError } from "../errors.ts";
import { locateLibtorch } from "./locate.ts";

let machine: FakeMachine;
beforeEach(() => {
  machine = fakeMachine();
});
afterEach(() => machine.remove());

/** The begin of a 64-bit little-endian ELF file for a machine by its number. */
function elfHeader(machineNumber: number): Uint8Array {
  const header = Buffer.alloc(64);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  header.writeUInt16LE(3, 16);
  header.writeUInt16LE(machineNumber, 18);
  return header;
}

const locate = (options: Parameters<FakeMachine["host"]>[0] = {}) =>
  locateLibtorch(machine.host(options), machine.cache);

test("an empty machine: every step is recorded with its reason", async () => {
  const { libtorch, steps } = await locate();
  expect(libtorch).toBeUndefined();
  expect(steps.map(({ step, found }) => [step, found])).toEqual([
    ["THAW_LIBTORCH", false],
    ["LIBTORCH", false],
    ["Thaw's cache", false],
    ["active Python environment", false],
    ["python3", false],
    ["system", false],
  ]);
  expect(steps.map(({ outcome }) => outcome)).toEqual([
    "not set",
    "not set",
    `nothing in ${machine.cache}/libtorch`,
    "none is active (VIRTUAL_ENV and CONDA_PREFIX are not set)",
    "no python3 on the PATH",
    expect.stringContaining("does not exist"),
  ]);
});

test("Debian's layout: the multiarch folder of the system", async () => {
  fakeLibtorch(machine, "usr", { version: "1.13.0", lib: "lib/x86_64-linux-gnu" });
  const { libtorch } = await locate();
  expect(libtorch).toEqual({
    root: join(machine.root, "usr"),
    includeDirs: [
      join(machine.root, "usr/include"),
      join(machine.root, "usr/include/torch/csrc/api/include"),
    ],
    libDir: join(machine.root, "usr/lib/x86_64-linux-gnu"),
    version: "1.13.0",
    abi: "cxx11",
    cxxStandard: 17,
    cuda: false,
    source: "system",
  });
});

test("THAW_LIBTORCH goes before LIBTORCH, and that before all others", async () => {
  const first = fakeLibtorch(machine, "first", { version: "2.5.1", abi: "pre-cxx11", cuda: true });
  const second = fakeLibtorch(machine, "second");
  fakeLibtorch(machine, "usr");
  const both = await locate({ env: { THAW_LIBTORCH: first, LIBTORCH: second } });
  expect(both.libtorch).toMatchObject({ version: "2.5.1", abi: "pre-cxx11", cuda: true });
  const one = await locate({ env: { LIBTORCH: second } });
  expect(one.libtorch).toMatchObject({ root: second, source: "LIBTORCH" });
});

test.each([
  ["a folder that is not there", () => join(machine.root, "nowhere"), /does not exist/],
  ["a folder without libtorch", () => machine.root, /no include folder/],
  [
    "libraries without headers",
    () => {
      const root = fakeLibtorch(machine, "bare");
      mkdirSync(join(machine.root, "half/include"), { recursive: true });
      machine.write("half/lib/libtorch_cpu.so");
      return root.replace("bare", "half");
    },
    /headers not installed/,
  ],
  [
    "a libtorch too old",
    () => fakeLibtorch(machine, "old", { version: "1.8.1" }),
    /1\.8\.1 .* older than 1\.13/,
  ],
  [
    "a file",
    () => machine.write("lib/libtorch_cpu.so"),
    /libtorch_cpu\.so is a file, not a folder/,
  ],
  [
    "a library of another architecture",
    () => {
      const root = fakeLibtorch(machine, "arm");
      machine.write("arm/lib/libtorch_cpu.so", elfHeader(183));
      return root;
    },
    /libtorch_cpu\.so was built for arm64, and this process runs on x64/,
  ],
  [
    "a library built with libc++",
    () => {
      const root = fakeLibtorch(machine, "clang");
      machine.write("clang/lib/libc10.so", "_ZN3c105ErrorC2ENS_14SourceLocationENSt3__1");
      return root;
    },
    /was built with libc\+\+/,
  ],
])("an explicit choice that fails is an error: %s", async (_, place, reason) => {
  fakeLibtorch(machine, "usr");
  const folder = place();
  const failure = await locate({ env: { THAW_LIBTORCH: folder } }).catch((error) => error);
  expect(failure).toBeInstanceOf(ThawError);
  expect(failure.message).toContain(`THAW_LIBTORCH=${folder}`);
  expect(failure.message).toMatch(reason);
  expect(failure.hint).toContain("include/ and lib/");
});

test.each([
  ["torch/csrc/api/include/torch/all.h", "C++17", 17],
  ["torch/csrc/api/include/torch/all.h", "C++20", 20],
  ["ATen/ATen.h", "C++23", 23],
])("the C++ standard is what %s asks for: %s", async (header, asked, standard) => {
  const root = fakeLibtorch(machine, "torch");
  machine.write(
    `torch/include/${header}`,
    `#if __cplusplus < 1\n#error ${asked} or later compatible compiler is required to use PyTorch.\n#endif\n`,
  );
  const { libtorch } = await locate({ env: { THAW_LIBTORCH: root } });
  expect(libtorch?.cxxStandard).toBe(standard);
});

test("a library of this architecture is taken", async () => {
  fakeLibtorch(machine, "usr");
  machine.write("usr/lib/libtorch_cpu.so", elfHeader(62));
  expect((await locate()).libtorch?.source).toBe("system");
});

test("the cache's newest version wins", async () => {
  fakeLibtorch(machine, "cache/libtorch/2.9.0", { version: "2.9.0" });
  fakeLibtorch(machine, "cache/libtorch/2.10.0", { version: "2.10.0" });
  expect((await locate()).libtorch).toMatchObject({ version: "2.10.0", source: "Thaw's cache" });
});

test.each(["VIRTUAL_ENV", "CONDA_PREFIX"])("torch of the environment of %s", async (name) => {
  fakeLibtorch(machine, "env/lib/python3.11/site-packages/torch");
  const { libtorch } = await locate({ env: { [name]: join(machine.root, "env") } });
  expect(libtorch?.source).toBe("active Python environment");
});

test("torch of python3, which is asked without importing it", async () => {
  const root = fakeLibtorch(machine, "site/torch");
  const { libtorch } = await locate({ run: () => ({ stdout: `${root}\n` }) });
  expect(libtorch).toMatchObject({ root, source: "python3" });
  expect(machine.calls[0]?.[2]).not.toMatch(/^import torch/m);
});

test("Debian's python3-torch is left to the system's step, which may lack the headers", async () => {
  const torch = machine.write("usr/lib/python3/dist-packages/torch/__init__.py");
  const { libtorch, steps } = await locate({
    run: () => ({ stdout: torch.replace("/__init__.py", "") }),
  });
  expect(libtorch).toBeUndefined();
  expect(steps[4]?.outcome).toMatch(/is the distribution's/);
});

test.each([
  [{ timedOut: true, code: null }, "python3 gave no answer within 10 s"],
  [{ code: 1, stderr: "Traceback\nSyntaxError: x" }, "python3 failed: SyntaxError: x"],
  [{ stdout: "\n" }, "python3 has no torch"],
])("python3 that does not help is a step like others: %o", async (answer, outcome) => {
  const { steps } = await locate({ run: () => answer });
  expect(steps[4]).toEqual({ step: "python3", found: false, outcome });
});
