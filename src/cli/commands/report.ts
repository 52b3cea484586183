import { relative } from "node:path";
import { printableLine } from "../../platform/printable.ts";
import { compareRuns } from "../../report/index.ts";
import type { CliCommand } from "../command.ts";
import { ensureEngine } from "../engine.ts";
import { printJson, printText, say } from "../output.ts";
import { note } from "../progress.ts";
import { openDataOfRun } from "../run-data.ts";

interface Options {
  out: string;
  into?: string;
  title?: string;
  profile?: string[];
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
        "--profile <folder>",
        "what thaw profile wrote, to be shown with the runs; may be given several times; default folders beside the runs",
        (folder: string, before: string[] = []) => [...before, folder],
      )
      .option(
        "--force",
        "set runs beside each other though their test sets or classes differ, without paired tests between them",
      )
      .option("--json", "print files and findings as JSON")
      .action(async (runs: string[], { json, profile = [], ...options }: Options) => {
        const openData = async (_: unknown, dir: string) => {
          await ensureEngine();
          return openDataOfRun(dir, {}, ["test"]);
        };
        const complete = { openData, onNote: note };
        const written = await compareRuns({ ...options, runs, profiles: profile, complete });
        for (const { name, reason } of written.leftOut) note(`${name} is left out: ${reason}`);
        const { html, markdown, findings, profiles } = written;
        if (json) {
          const names = written.runs.map((run) => run.name);
          printJson({
            ...{ html, markdown, runs: names, leftOut: written.leftOut, findings },
            profiles,
          });
          return;
        }
        for (const finding of findings) printText(`- ${printableLine(finding)}\n`);
        say(`open ${relative(process.cwd(), html)}`);
      });
  },
};
