import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  type FakeHostOptions,
  type FakeMachine,
  fakeLibtorch,
  fakeMachine,
} from "../../test/fake-machine.ts";
import { makeZip, type ZipFileEntry } from "../../test/zip.ts";
import { ThawError } from "../errors.ts";
import { CompileFailure } from "./compile.ts";
import { ensureBuildTools } from "./install.ts";
import { ProbeFailure } from "./probe.ts";
import { findUsable } from "./search.ts";

const ARCHIVE: readonly ZipFileEntry[] = [
  { name: "libtorch/build-version", content: "2.7.1+cpu\n" },
  {
    name: "libtorch/include/torch/csrc/api/include/torch/version.h",
    content:
      "#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR 7\n#define TORCH_VERSION_PATCH 1\n",
  },
  { name: "libtorch/lib/libtorch_cpu.so", content: "library" },
  {
    name: "libtorch/lib/libc10.so",
    content: "_ZN3c105ErrorC2ENS_14SourceLocationENSt7__cxx1112basic_string",
  },
];

let machine: FakeMachine;
let server: Server;
let base: string;
let body: Uint8Array<ArrayBuffer>;
let cut = false;
beforeEach(async () => {
  machine = fakeMachine();
  cut = false;
  body = makeZip(ARCHIVE);
  server = createServer((request, response) => {
    if (!request.url?.endsWith(".zip")) {
      response.writeHead(404).end();
    } else if (cut) {
      response.writeHead(200, { "content-length": body.length });
      response.write(body.subarray(0, 100), () => response.destroy());
    } else {
      response.end(body);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
  machine.remove();
});

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
/** Lines of the log; what is found counts as usable. */
let lines: string[] = [];
const install = (env: Record<string, string>, options: FakeHostOptions = {}) => {
  lines = [];
  const host = machine.host({ ...options, env });
  const log = (line: string) => lines.push(line);
  return findUsable({ host, cache: machine.cache, log }, async () => "usable");
};
const url = () => ({ THAW_LIBTORCH_URL: `${base}/libtorch-2.7.1.zip` });
const failureOf = async (promise: Promise<unknown>): Promise<ThawError> => {
  const failure = await promise.then(
    () => undefined,
    (error) => error,
  );
  expect(failure).toBeInstanceOf(ThawError);
  return failure;
};

test("no libtorch and no way to get one: every step tried, and what to do", async () => {
  const failure = await failureOf(
    install({ THAW_LIBTORCH_URL: `${base}/gone`, THAW_LIBTORCH_SHA256: "0".repeat(64) }),
  );
  const steps = failure.message.split("\n").map((line) => line.split(":")[0]);
  expect(steps).toEqual([
    "there is no libtorch that can be used and no way to get one; tried in order",
    "  - THAW_LIBTORCH",
    "  - LIBTORCH",
    "  - Thaw's cache",
    "  - active Python environment",
    "  - python3",
    "  - system",
    "  - apt-get install libtorch-dev",
    "  - download of the official build",
  ]);
  expect(failure.message).toContain(`${base}/gone: HTTP 404`);
  expect(failure.hint).toMatch(/apt-get install libtorch-dev.*pip install torch.*THAW_LIBTORCH/);
});

test("a good archive is unpacked into the cache and found there", async () => {
  const { libtorch, result } = await install({ ...url(), THAW_LIBTORCH_SHA256: sha256(body) });
  expect(libtorch).toMatchObject({
    version: "2.7.1+cpu",
    root: join(machine.cache, "libtorch/2.7.1"),
    abi: "cxx11",
  });
  expect(result).toBe("usable");
  expect(readdirSync(join(machine.cache, "libtorch"))).toEqual(["2.7.1"]);
});

test.each([
  ["a wrong checksum", () => "f".repeat(64), () => {}, /wrong checksum.*was not kept/],
  [
    "a connection that breaks off",
    () => sha256(body),
    () => {
      cut = true;
    },
    /broke off after \d+ of \d+ bytes/,
  ],
  [
    "an archive with a link",
    () => sha256(body),
    () => {
      body = makeZip([...ARCHIVE, { name: "libtorch/l", content: "/etc", mode: 0o120777 }]);
    },
    /libtorch\/l is a link/,
  ],
  [
    "an archive with a path that leads outside",
    () => sha256(body),
    () => {
      body = makeZip([...ARCHIVE, { name: "../../escaped", content: "x" }]);
    },
    /\.\.\/escaped/,
  ],
  [
    "a file that is no archive",
    () => sha256(body),
    () => {
      body = new Uint8Array(Buffer.from("no zip"));
    },
    /\.zip: /,
  ],
])("nothing is kept of %s", async (_, checksum, arrange, reason) => {
  arrange();
  const failure = await failureOf(install({ ...url(), THAW_LIBTORCH_SHA256: checksum() }));
  expect(failure.message).toMatch(reason);
  expect(readdirSync(join(machine.cache, "libtorch"))).toEqual([]);
  expect(existsSync(join(machine.root, "escaped"))).toBe(false);
});

test("no checksum is known: refused, and how to give one is said", async () => {
  const failure = await failureOf(install({}, { platform: "win32" }));
  expect(failure.message).toMatch(/no checksum is known for https.*THAW_LIBTORCH_SHA256/);
});

test("Debian as root: package lists are fetched first, then libtorch-dev is installed", async () => {
  machine.write("usr/bin/apt-get");
  const { libtorch } = await install(
    {},
    {
      isRoot: true,
      run: (command, args) => {
        if (args.includes("update")) machine.write("var/lib/apt/lists/x_Packages");
        if (args.includes("libtorch-dev") && command === "apt-get") {
          fakeLibtorch(machine, "usr", { version: "1.13.0", lib: "lib/x86_64-linux-gnu" });
        }
        return command === "apt-cache" ? { stdout: "  Candidate: 1.13.1+dfsg-4\n" } : {};
      },
    },
  );
  expect(libtorch).toMatchObject({ version: "1.13.0", source: "system" });
  const apt = machine.calls.filter(([command]) => command === "apt-get");
  expect(apt.map((call) => call.slice(4).join(" "))).toEqual([
    "update",
    "install -y --no-install-recommends libtorch-dev libopenblas0-openmp",
  ]);
});

test.each([
  ["none", "apt knows no libtorch-dev"],
  ["1.8.1-4", "apt's libtorch-dev is 1.8.1-4, older than 1.13"],
])("Ubuntu whose libtorch-dev is %s: the official build is taken", async (candidate, reason) => {
  machine.write("usr/bin/apt-get");
  machine.write("var/lib/apt/lists/x_Packages");
  const { libtorch } = await install(
    { ...url(), THAW_LIBTORCH_SHA256: sha256(body) },
    {
      isRoot: true,
      run: () => ({ stdout: `Candidate: ${candidate.replace("none", "(none)")}\n` }),
    },
  );
  expect(libtorch?.source).toBe("Thaw's cache");
  expect(lines.join("\n")).toContain(`apt-get install libtorch-dev: ${reason}`);
  expect(machine.calls.some((call) => call.includes("install"))).toBe(false);
});

test("nothing is installed or downloaded without permission", async () => {
  machine.write("usr/bin/apt-get");
  machine.write("var/lib/apt/lists/x_Packages");
  const asked: string[] = [];
  const failure = await failureOf(
    install(
      { ...url(), THAW_LIBTORCH_SHA256: sha256(body) },
      {
        isRoot: true,
        run: () => ({ stdout: "Candidate: 1.13.1\n" }),
        mayInstall: async (packages) => {
          asked.push(packages.join(" "));
          return "not agreed to";
        },
      },
    ),
  );
  expect(asked).toEqual([
    "libtorch-dev libopenblas0-openmp",
    "PyTorch's official libtorch (a download)",
  ]);
  expect(failure.message.match(/not agreed to/g)).toHaveLength(2);
  expect(machine.calls.some((call) => call.includes("install"))).toBe(false);
  expect(existsSync(join(machine.cache, "libtorch"))).toBe(false);
});

/** A libtorch that fails as one does whose trial process crashes. */
const crash = () =>
  new ProbeFailure("libtorch cannot be loaded", {
    reason: "a trial process was killed by SIGSEGV",
    hint: "use another",
    missingLibrary: undefined,
  });

test("one that cannot be used is passed over with its reason, and the next is taken", async () => {
  fakeLibtorch(machine, "cache/libtorch/2.15.0", { version: "2.15.0" });
  fakeLibtorch(machine, "cache/libtorch/2.8.0", { version: "2.8.0" });
  fakeLibtorch(machine, "env/lib/python3.12/site-packages/torch", { version: "2.12.0" });
  fakeLibtorch(machine, "usr", { version: "1.13.0" });
  const found = await findUsable(
    {
      host: machine.host({ env: { VIRTUAL_ENV: join(machine.root, "env") } }),
      cache: machine.cache,
      log: () => {},
    },
    async ({ version }) => {
      if (version === "2.15.0") throw crash();
      if (version === "2.8.0") {
        throw new CompileFailure("did not compile", { reason: "x.h: error: no", hint: "try g++" });
      }
      return version;
    },
  );
  expect(found.result).toBe("2.12.0");
  expect(found.passedOver.map(({ step, reason }) => [step, reason])).toEqual([
    ["Thaw's cache", "a trial process was killed by SIGSEGV (use another)"],
    ["Thaw's cache", "does not compile: x.h: error: no (try g++)"],
  ]);
});

test("what no other libtorch would mend, and what fails of an explicit choice, is an error", async () => {
  fakeLibtorch(machine, "cache/libtorch/2.15.0", { version: "2.15.0" });
  const chosen = fakeLibtorch(machine, "chosen", { version: "2.12.0" });
  const find = (env: Record<string, string>, error: Error) =>
    failureOf(
      findUsable({ host: machine.host({ env }), cache: machine.cache, log: () => {} }, async () => {
        throw error;
      }),
    );
  const full = new ThawError("the disk is full");
  expect(await find({}, full)).toBe(full);
  const crashed = crash();
  expect(await find({ THAW_LIBTORCH: chosen }, crashed)).toBe(crashed);
});

test("where every candidate fails, each is named with its reason, once", async () => {
  fakeLibtorch(machine, "cache/libtorch/2.15.0", { version: "2.15.0" });
  fakeLibtorch(machine, "usr", { version: "1.13.0" });
  const failure = await failureOf(
    findUsable({ host: machine.host(), cache: machine.cache, log: () => {} }, async () => {
      throw crash();
    }),
  );
  expect(
    failure.message.match(/2\.15\.0 at .*: a trial process was killed by SIGSEGV/g),
  ).toHaveLength(1);
  expect(failure.message).toMatch(/- system: 1\.13\.0 at .*SIGSEGV/);
  expect(failure.message).toContain("apt-get install libtorch-dev: not Debian");
});

test("missing build tools are installed by apt, or named", async () => {
  const failure = await failureOf(ensureBuildTools(machine.host(), () => {}));
  expect(failure.message).toContain("cmake and g++ and make must be installed (not Debian");
  machine.write("usr/bin/apt-get");
  machine.write("var/lib/apt/lists/x_Packages");
  await ensureBuildTools(
    machine.host({
      isRoot: true,
      run: (command) => (command === "c++" ? undefined : {}),
    }),
    () => {},
  );
  expect(machine.calls.at(-1)?.slice(-3)).toEqual(["-y", "--no-install-recommends", "g++"]);
});

test("the archive's files are unpacked as they are", async () => {
  const { libtorch } = await install({ ...url(), THAW_LIBTORCH_SHA256: sha256(body) });
  expect(readFileSync(join(libtorch!.libDir, "libtorch_cpu.so"), "utf8")).toBe("library");
});
