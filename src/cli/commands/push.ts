import { existsSync } from "node:fs";
import { join } from "node:path";
import { pushFolder, restoreExport } from "../../export/index.ts";
import { findRun } from "../../run/record.ts";
import type { CliCommand } from "../command.ts";
import { refuseUnused } from "../flag-rules.ts";
import { printJson, say } from "../output.ts";
import { note } from "../progress.ts";

interface Options {
  out: string;
  private?: true;
  json?: true;
}

export const push: CliCommand = {
  register(command) {
    refuseUnused(command, [
      {
        flags: ["out"],
        counts: (_, [folder]) => !existsSync(join(String(folder), "model.onnx")),
        goes: "requires a run's name: this is an export folder",
      },
    ]);
    command
      .argument("<export>", "a folder that `thaw export` made, or a run that has one")
      .argument("<repository>", "owner/name on the hub; it is made where it is not there")
      .option("--private", "a new repository is yours alone")
      .option("--out <folder>", "folder of the runs", "runs")
      .option("--json", "print the commit as JSON")
      .action(async (name: string, repo: string, { out, private: isPrivate, json }: Options) => {
        restoreExport(name, note);
        const isExport = existsSync(join(name, "model.onnx"));
        const folder = isExport ? name : join(findRun(name, out), "export");
        restoreExport(folder, note);
        const { url, commit } = await pushFolder(folder, repo, {
          private: isPrivate,
          onFile: (file, bytes) => say(`${file}: ${(bytes / 1e6).toFixed(1)} MB`),
        });
        if (json) printJson({ folder, repository: repo, url, commit });
        else say(`${folder} is at ${url}`);
      });
  },
};
