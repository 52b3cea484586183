import { relative } from "node:path";
import { compareRuns } from "../../report/index.ts";
import type { CliCommand } from "../command.ts";
import { printJson, say } from "../output.ts";
import { note } from "../progress.ts";

interface Options {
  out: string;
  into?: string;
  title?: string;
  force?: true;
  json?: true;
}

export const report: CliCommand = {
  register(command) {
    command
      .argument("[runs...]", "folders of runs, or their names; default all runs of --out")
      .option("--out <folder>", "folder of the runs", "runs")
      .option(
        "--into <folder>",
        "folder that gets report.html and report.md; default that of the runs",
      )
      .option("--title <text>", "title of the page")
      .option(
        "--force",
        "set runs beside each other though their test sets or classes differ, without paired tests between them",
      )
      .option("--json", "print files and findings as JSON")
      .action(async (runs: string[], { json, ...options }: Options) => {
        const written = await compareRuns({ ...options, runs });
        for (const { name, reason } of written.leftOut) note(`${name} is left out: ${reason}`);
        const { html, markdown, findings } = written;
        if (json) {
          const names = written.runs.map((run) => run.name);
          printJson({ html, markdown, runs: names, leftOut: written.leftOut, findings });
          return;
        }
        for (const finding of findings) process.stdout.write(`- ${finding}\n`);
        say(`open ${relative(process.cwd(), html)}`);
      });
  },
};
