import { findRun } from "../../run/record.ts";
import { sendToMlflow } from "../../run/track/send.ts";
import type { CliCommand } from "../command.ts";
import { printJson, say } from "../output.ts";

interface Options {
  out: string;
  json?: true;
}

export const track: CliCommand = {
  register(command) {
    command
      .argument("<run>", "a run's folder, or its name")
      .option("--out <folder>", "folder of the runs", "runs")
      .option("--json", "print the run's id at MLflow as JSON")
      .action(async (name: string, { out, json }: Options) => {
        const dir = findRun(name, out);
        const { runId, url } = await sendToMlflow(dir);
        if (json) printJson({ run: dir, runId, url });
        else say(`${dir} is at ${url} as run ${runId}`);
      });
  },
};
