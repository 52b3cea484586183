import { ExitCode } from "../../errors.ts";
import { type DoctorReport, examine } from "../../libtorch/doctor.ts";
import type { CliCommand } from "../command.ts";
import { printJson, printText } from "../output.ts";

export const doctor: CliCommand = {
  register(command) {
    command
      .option("--json", "print the report as JSON")
      .addHelpText("after", "\nExit code 0 if Thaw can compute here, 1 if not.")
      .action(async (options: { json?: true }) => {
        const report = await examine();
        if (options.json) printJson(report);
        else printText(formatReport(report));
        if (!report.usable) process.exitCode = ExitCode.failed;
      });
  },
};

/** The report for people; it is the command's result, so it goes to stdout. */
export function formatReport(report: DoctorReport): string {
  const { libtorch, addon, probe, cpu } = report;
  const yes = (flag: boolean) => (flag ? "yes" : "no");
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
  const sections: [string, [string, string][]][] = [
    [
      "looking for libtorch",
      report.chain.map((step) => [`${step.found ? "✓" : "-"} ${step.step}`, step.outcome]),
    ],
    [
      "engine",
      [
        [
          "libtorch",
          libtorch
            ? `${libtorch.version} at ${libtorch.root} (${libtorch.source}; ABI ${libtorch.abi}${libtorch.cuda ? "; CUDA build" : ""})`
            : "none set up",
        ],
        ["addon", addon ? `${addon.file}` : "not compiled"],
        ["trial process", probe ? "loads and answers" : "not passed"],
        ["BLAS", probe?.blas ?? "?"],
        ["OpenMP", probe?.openmp ?? "?"],
        ["oneDNN", probe ? yes(probe.onednn) : "?"],
        ["JPEG", probe ? (probe.turbojpeg ?? "sharp, slower (no libturbojpeg was found)") : "?"],
        ["CUDA devices", probe ? String(probe.cudaDevices) : "?"],
      ],
    ],
    [
      "machine",
      [
        ["CPU", `${cpu.model}, ${cpu.cores} cores, ${cpu.threads} hardware threads`],
        [
          "instructions",
          `AVX2 ${yes(cpu.avx2)}, AVX-512 ${yes(cpu.avx512)}, AVX512-BF16 ${yes(cpu.avx512Bf16)}, AMX-BF16 ${yes(cpu.amxBf16)}`,
        ],
        ["precision", `${report.precision.precision}: ${report.precision.reason}`],
        [
          "memory",
          `${gigabytes(report.memory.totalBytes)}, ${gigabytes(report.memory.freeBytes)} free`,
        ],
      ],
    ],
    [
      "threads",
      report.threads.map((setting) => [
        setting.name,
        `${setting.value ?? "not set"} (${FROM[setting.from]}: ${setting.reason})`,
      ]),
    ],
    [
      "Thaw",
      [
        ["version", report.thaw],
        [
          "Node",
          `${report.node.version} (Node-API ${report.node.nodeApi}, ${report.node.platform})`,
        ],
        ["cache", report.cache],
      ],
    ],
  ];
  const lines = sections.flatMap(([title, rows]) => {
    const width = Math.max(...rows.map(([name]) => name.length));
    return [title, ...rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`), ""];
  });
  for (const problem of report.problems) {
    lines.push(`${problem.fatal ? "problem" : "note"}: ${problem.what}`);
    if (problem.hint !== undefined) lines.push(`  → ${problem.hint}`);
  }
  lines.push(report.usable ? "usable: yes" : "usable: no");
  return `${lines.join("\n")}\n`;
}

const FROM = {
  environment: "from the environment",
  thaw: "set by Thaw",
  library: "the library's default",
} as const;
