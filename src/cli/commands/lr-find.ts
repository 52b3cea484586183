import { drawLrFind } from "../../report/index.ts";
import { findLearningRate } from "../../train/index.ts";
import type { CliCommand } from "../command.ts";
import { Interrupt } from "../interrupt.ts";
import { printJson, say } from "../output.ts";
import { counter, note } from "../progress.ts";
import { addTrainFlags, type ConfiguredOptions, openConfigured } from "../train-flags.ts";
import { weightsTable } from "../weights-table.ts";

export const lrFind: CliCommand = {
  register(command) {
    addTrainFlags(command);
    command.action(async (options: ConfiguredOptions) => {
      const { config, data, openWeights } = await openConfigured(options);
      const steps = counter("step");
      const features = counter("features");
      using interrupt = new Interrupt("stopping");
      const { found, dir } = await findLearningRate(config, data, {
        openWeights,
        signal: interrupt.signal,
        onNote: note,
        onWeights: (load, from) => say(weightsTable(load, from)),
        onFeatures: ({ done, total }) => features.draw(done, total),
        onStep: ({ step, steps: total }) => steps.draw(step, total),
      });
      steps.clear();
      const png = await drawLrFind(dir, found);
      if (options.json) {
        printJson({ dir, ...found });
        return;
      }
      const { lr } = found.suggestion;
      if (found.stopped !== undefined) say(`ended early: ${found.stopped}`);
      say(`valley    ${found.valley.toExponential(1)}   where the loss falls fast and safely`);
      say(`steepest  ${found.steepest.toExponential(1)}   where it falls fastest`);
      say(`suggested: --lr ${Number(lr.toPrecision(2))} (the valley's; you have ${config.lr})`);
      say(`look at the curve before you trust it: ${png}`);
    });
  },
};
