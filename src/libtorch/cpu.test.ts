import { expect, test } from "vitest";
import { cpuInfo, cpuPrecision } from "./cpu.ts";
import { threadEnvironment } from "./threads.ts";

const processor = (id: number, core: number, flags: string) =>
  `processor\t: ${id}\nmodel name\t: Some CPU\nphysical id\t: 0\ncore id\t\t: ${core}\nflags\t\t: ${flags}\n`;
const AVX512 = "fma avx2 avx512f avx512bw avx512dq avx512vl";
const AMX = `${AVX512} avx512_bf16 amx_bf16 amx_tile`;
const smt = (flags: string) =>
  [
    processor(0, 0, flags),
    processor(1, 0, flags),
    processor(2, 1, flags),
    processor(3, 1, flags),
  ].join("\n");
const sources = { status: "", cpuMax: "", threads: 4, model: "?" };

test("hardware threads of one core count once", () => {
  expect(cpuInfo({ ...sources, cpuinfo: smt(AMX) })).toEqual({
    model: "Some CPU",
    threads: 4,
    cores: 2,
    avx2: true,
    avx512: true,
    avx512Bf16: true,
    amxBf16: true,
  });
});

test.each([
  ["affinity", { status: "Cpus_allowed_list:\t2-3\n", threads: 2 }, 1],
  ["a container's quota", { cpuMax: "100000 100000\n" }, 1],
  ["no quota", { cpuMax: "max 100000\n" }, 2],
])("cores within %s", (_, change, cores) => {
  expect(cpuInfo({ ...sources, cpuinfo: smt(AMX), ...change }).cores).toBe(cores);
});

test("without /proc/cpuinfo: the threads that the system reports, no special instructions", () => {
  const cpu = cpuInfo({ ...sources, cpuinfo: "", model: "Apple M1" });
  expect(cpu).toMatchObject({ model: "Apple M1", cores: 4, avx512: false, amxBf16: false });
  expect(cpuPrecision(cpu).precision).toBe("fp32");
});

test.each([
  ["AMX", AMX, "bf16"],
  ["AVX512-BF16 alone", AMX.replaceAll(/amx_\w+/g, ""), "bf16"],
  ["AVX-512 alone", AVX512, "fp32"],
])("precision follows the CPU's bf16 products: %s", (_, flags, precision) => {
  expect(cpuPrecision(cpuInfo({ ...sources, cpuinfo: smt(flags) })).precision).toBe(precision);
});

test("what is set before libtorch is loaded; the user's own values stay", () => {
  const newer = cpuInfo({ ...sources, cpuinfo: smt(AMX) });
  const older = cpuInfo({ ...sources, cpuinfo: smt(AVX512) });
  expect(threadEnvironment(newer, {})).toMatchObject({
    OMP_NUM_THREADS: "2",
    ATEN_CPU_CAPABILITY: "avx512",
  });
  expect(threadEnvironment(older, {})).not.toHaveProperty("ATEN_CPU_CAPABILITY");
  expect(threadEnvironment(newer, { OMP_NUM_THREADS: "7" })).not.toHaveProperty("OMP_NUM_THREADS");
});
