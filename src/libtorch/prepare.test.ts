import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, cpSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type FakeMachine, fakeLibtorch, fakeMachine } from "../../test/fake-machine.ts";
import { abandonedPath } from "../../test/support/abandoned.ts";
import { mountSmallDisk, unmountSmallDisk } from "../../test/support/small-disk.ts";
import { ThawError } from "../errors.ts";
import { CompileFailure } from "./compile.ts";
import { examine } from "./doctor.ts";
import { packageRoot } from "./home.ts";
import { type Host, runProcess } from "./host.ts";
import { type PrepareOptions, prepareNative } from "./prepare.ts";
import { ProbeFailure } from "./probe.ts";
import { readStamp } from "./stamp.ts";

const missing = ["cmake", "c++", "make"].filter(
  (tool) => spawnSync(tool, ["--version"]).status !== 0,
);

// A stand-in for native/ that compiles in a second, with the real CMakeLists.txt. It calls
// both libraries of the stand-in for libtorch, or the linker would leave them out.
const ADDON = `
#include <napi.h>
extern "C" int c10_answer();
extern "C" int torch_answer();
static Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("version", Napi::Function::New(env, [](const Napi::CallbackInfo& info) -> Napi::Value {
    auto result = Napi::Object::New(info.Env());
    result.Set("answer", c10_answer() + torch_answer());
    return result;
  }));
  return exports;
}
NODE_API_MODULE(thaw, Init)
`;

const CRASH = "__attribute__((constructor)) static void fall() { raise(SIGSEGV); }\n";
const TORCH = 'extern "C" int torch_answer() { return 2; }';

describe("from libtorch to a stamp", { timeout: 120_000 }, () => {
  let machine: FakeMachine;
  let libtorch: string;
  let lines: string[];
  beforeEach(async ({ skip }) => {
    skip(missing.length > 0, `no ${missing.join(", ")} to compile with`);
    machine = fakeMachine();
    lines = [];
    libtorch = fakeLibtorch(machine, "torch");
    await library("c10", 'extern "C" int c10_answer() { return 40; }');
    await library("torch_cpu", TORCH);
    machine.write("native/addon.cc", ADDON);
    // Named by CMakeLists.txt, once for each instruction set.
    machine.write("native/adam_kernels.cc", "");
    const cmake = "native/CMakeLists.txt";
    copyFileSync(join(packageRoot(), cmake), join(machine.root, cmake));
  });
  afterEach(() => machine?.remove());

  async function library(name: string, source: string): Promise<void> {
    // The search reads the ABI from this symbol, so the stand-in has it too.
    const symbol =
      name === "c10"
        ? '\nconst char* abi = "_ZN3c105ErrorC2ENS_14SourceLocationENSt7__cxx1112basic_string";\n'
        : "\n";
    const file = machine.write(`${name}.cc`, source + symbol);
    const out = join(libtorch, `lib/lib${name}.so`);
    const result = await runProcess("c++", ["-shared", "-fPIC", "-o", out, file]);
    expect(result.stderr).toBe("");
  }

  function options(): PrepareOptions & { host: Host } {
    const host = machine.host({ env: { THAW_LIBTORCH: libtorch }, run: runProcess });
    return {
      host,
      cache: machine.cache,
      nativeDir: join(machine.root, "native"),
      log: (line) => lines.push(line),
    };
  }

  const withCompiler = (file: string) => {
    const { host, ...rest } = options();
    return { ...rest, host: { ...host, env: { ...host.env, CXX: file } } };
  };
  const addons = () =>
    readdirSync(join(machine.cache, "addon")).filter((name) => /^[0-9a-f]{16}$/.test(name));
  const compiled = () => lines.filter((line) => line.startsWith("compiling")).length;
  const failureOf = (promise: Promise<unknown>) =>
    promise.then(
      () => expect.unreachable("it should have failed"),
      (error) => error,
    );

  test("compiled once, tried, remembered; the second time nothing runs", async () => {
    const stamp = await prepareNative(options());
    expect(stamp.probe.version).toEqual({ answer: 42 });
    expect(stamp.libtorch.version).toBe("2.7.1");
    machine.calls.length = 0;
    expect(await prepareNative(options())).toEqual(stamp);
    expect(machine.calls).toEqual([]);
    expect(compiled()).toBe(1);
  });

  test("two at once: one compiles, both succeed; what a killed compilation left is cleared", async () => {
    mkdirSync(abandonedPath(join(machine.cache, "addon", "0123456789abcdef")), { recursive: true });
    const [first, second] = await Promise.all([prepareNative(options()), prepareNative(options())]);
    expect(first).toEqual(second);
    expect(compiled()).toBe(1);
    expect(
      readdirSync(join(machine.cache, "addon")).filter((name) => /lock|tmp/.test(name)),
    ).toEqual([]);
  });

  test("changed sources or a changed library invalidate what is remembered", async () => {
    const { host, cache, nativeDir } = options();
    await prepareNative(options());
    expect(readStamp(cache!, nativeDir!, host.env)).toBeDefined();
    machine.write("native/addon.cc", `${ADDON}\n// changed\n`);
    expect(readStamp(cache!, nativeDir!, host.env)).toBeUndefined();
    await prepareNative(options());
    expect(compiled()).toBe(2);
    await library("torch_cpu", `${TORCH}\nint another;`);
    expect(readStamp(cache!, nativeDir!, host.env)).toBeUndefined();
    // The addon still fits: it is only tried again.
    await prepareNative(options());
    expect(compiled()).toBe(2);
  });

  test("a libtorch that crashes when it is loaded kills only the trial process", async () => {
    await library(
      "torch_cpu",
      `#include <cstdlib>
      #include <cstdio>
      __attribute__((constructor)) static void fall() { fputs("bad library\\n", stderr); abort(); }
      ${TORCH}`,
    );
    const failure = await failureOf(prepareNative(options()));
    expect(failure).toBeInstanceOf(ProbeFailure);
    expect(failure.message).toMatch(/libtorch 2\.7\.1 cannot be loaded.*killed by SIGABRT/);
    expect(failure.message).toContain("bad library");
    expect(failure.hint).toMatch(/THAW_LIBTORCH/);
    const { host, cache, nativeDir } = options();
    expect(readStamp(cache!, nativeDir!, host.env)).toBeUndefined();
  });

  test("a missing library is named, with the way to get it", async () => {
    await library("needed", "int needed;");
    const file = machine.write("cpu.cc", TORCH);
    const lib = join(libtorch, "lib");
    const args = ["-shared", "-fPIC", "-o", join(lib, "libtorch_cpu.so"), file];
    await runProcess("c++", [...args, `-L${lib}`, "-Wl,--no-as-needed", "-lneeded"]);
    rmSync(join(lib, "libneeded.so"));
    const failure = await failureOf(prepareNative(options()));
    expect(failure.missingLibrary).toBe("libneeded.so");
    expect(failure.hint).toMatch(/libneeded\.so/);
  });

  test("a CUDA build without CUDA's own libraries goes on without CUDA", async () => {
    const lib = join(libtorch, "lib");
    await library("cudart", "int cudart;");
    await library("c10_cuda", "int c10cuda;");
    const file = machine.write("cuda.cc", "");
    const args = ["-shared", "-fPIC", "-o", join(lib, "libtorch_cuda.so"), file, `-L${lib}`];
    await runProcess("c++", [...args, "-Wl,--no-as-needed", "-lcudart"]);
    const whole = await prepareNative(options());
    expect(whole.addon.cuda).toBe(true);
    rmSync(join(lib, "libcudart.so"));
    const without = await prepareNative({ ...options(), force: true });
    expect(without.addon.cuda).toBe(false);
    expect(lines).toContainEqual(
      expect.stringMatching(/CUDA cannot be used, libcudart\.so is missing/),
    );
  });

  test("of two the newer crashes: the older is taken, and doctor says why", async () => {
    const cached = (version: string) => {
      const to = join(machine.cache, "libtorch", version);
      cpSync(libtorch, to, { recursive: true });
      const parts = version.split(".");
      const names = ["MAJOR", "MINOR", "PATCH"];
      machine.write(
        `cache/libtorch/${version}/include/torch/csrc/api/include/torch/version.h`,
        names.map((name, i) => `#define TORCH_VERSION_${name} ${parts[i]}\n`).join(""),
      );
      return to;
    };
    cached("2.8.0");
    await library("torch_cpu", `#include <csignal>\n${CRASH}${TORCH}`);
    const newer = cached("2.15.0");
    const chosen = options();
    const searching = { ...chosen, host: machine.host({ run: runProcess }) };
    const stamp = await prepareNative(searching);
    expect(stamp.libtorch.version).toBe("2.8.0");
    expect(stamp.passedOver).toEqual([
      {
        step: "Thaw's cache",
        libDir: join(newer, "lib"),
        reason: expect.stringMatching(/^a trial process was killed by SIGSEGV.*THAW_LIBTORCH/),
      },
    ]);
    const report = await examine(searching);
    expect(report.chain.slice(2)).toEqual([
      {
        step: "Thaw's cache",
        found: false,
        outcome: expect.stringContaining("2.15.0 at"),
      },
      { step: "Thaw's cache", found: true, outcome: expect.stringContaining("2.8.0 at") },
    ]);
    expect(report.chain[2]?.outcome).toContain("killed by SIGSEGV");
    // Both addons stay in the cache, beside each other.
    expect(addons()).toHaveLength(2);
    cached("2.16.0");
    const later = await examine(searching);
    expect(later.libtorch?.version).toBe("2.8.0");
    expect(later.chain[2]?.outcome).toMatch(/2\.16\.0 at .*: not tried: it came after set-up/);
    expect(later.problems).toContainEqual(
      expect.objectContaining({
        hint: expect.stringContaining("thaw setup --force"),
        fatal: false,
      }),
    );
  });

  test("a compiler without the standard that the headers ask for: its first error, and what to install", async () => {
    const header = "torch/include/torch/csrc/api/include/torch/all.h";
    machine.write(
      header,
      "#if __cplusplus < 202002L\n#error C++20 or later compatible compiler is required to use PyTorch.\n#endif\n",
    );
    machine.write("native/addon.cc", `#include <torch/all.h>\n${ADDON}`);
    expect((await prepareNative(options())).libtorch.cxxStandard).toBe(20);
    // As g++ 9 does: it takes the flag, and __cplusplus stays below.
    const old = machine.write(
      "old-c++",
      `#!/bin/sh\nfor a do shift; case "$a" in -std=*) a=-std=c++17;; esac; set -- "$@" "$a"; done\nexec c++ "$@"\n`,
    );
    chmodSync(old, 0o755);
    const failure = await failureOf(
      prepareNative({ ...withCompiler(old), cache: join(machine.root, "empty") }),
    );
    expect(failure).toBeInstanceOf(CompileFailure);
    expect(failure.reason).toMatch(/error: #error C\+\+20 or later compatible compiler/);
    expect(failure.hint).toMatch(/needs a compiler for C\+\+20 \(g\+\+ 11, .*CXX=g\+\+-12/);
  });

  test("headers that are not whole: the one that is missing is named", async () => {
    machine.write("native/addon.cc", `#include <ATen/gone.h>\n${ADDON}`);
    const failure = await failureOf(prepareNative(options()));
    expect(failure.reason).toMatch(/fatal error: ATen\/gone\.h: No such file/);
    expect(failure.hint).toContain("ATen/gone.h is missing: install this libtorch again");
  });

  test("a debug build is refused", async () => {
    machine.write(
      "native/addon.cc",
      ADDON.replace(
        "return result;",
        'result.Set("config", "Build settings: BUILD_TYPE=Debug, USE_MKL=OFF"); return result;',
      ),
    );
    const failure = await failureOf(prepareNative(options()));
    expect(failure).toBeInstanceOf(ProbeFailure);
    expect(failure.message).toContain("is a debug build");
  });

  test("without CMake, and nothing may be installed: it is named, and nothing is passed over", async () => {
    const { host, ...rest } = options();
    const run: Host["run"] = async (command, ...more) => {
      const result = await host.run(command, ...more);
      return command === "cmake" ? { ...result, code: null, missing: true } : result;
    };
    const failure = await failureOf(prepareNative({ ...rest, host: { ...host, run } }));
    expect(failure.message).toMatch(/to compile the addon, cmake must be installed \(not Debian/);
    expect(failure.hint).toContain("apt-get install cmake");
  });

  test("a disk that is full while compiling is said to be full", async ({ skip }) => {
    const disk = join(machine.root, "disk");
    mkdirSync(disk);
    const why = mountSmallDisk(disk, 100_000);
    skip(why !== undefined, why);
    try {
      const failure = await failureOf(prepareNative({ ...options(), cache: disk }));
      expect(failure.constructor).toBe(ThawError);
      expect(failure.message).toMatch(/disk\/addon: no space left on the device/);
      expect(failure.hint).toContain("THAW_HOME");
      expect(readdirSync(join(disk, "addon")).filter((name) => name.includes("tmp"))).toEqual([]);
    } finally {
      unmountSmallDisk(disk);
    }
  });

  test("a compile error shows the compiler's words and where the log is", async () => {
    machine.write("native/addon.cc", "#include <napi.h>\nint broken = nonsense;\n");
    const failure = await failureOf(prepareNative(options()));
    expect(failure).toBeInstanceOf(ThawError);
    expect(failure.message).toMatch(
      /did not compile against libtorch 2\.7\.1 at [\s\S]*nonsense.? was not declared/,
    );
    const log = /log is in (.*)$/.exec(failure.hint)?.[1];
    expect(statSync(log!).size).toBeGreaterThan(0);
  });
});
