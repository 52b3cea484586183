import Table from "cli-table3";
import {
  createModel,
  type ModelSpec,
  modelNames,
  multiplyAdds,
  parseModelName,
  models as registry,
  stageParameters,
} from "../../models/index.ts";
import { Generator } from "../../tensor/index.ts";
import type { CliCommand } from "../command.ts";
import { ensureEngine } from "../engine.ts";
import { printJson, printText } from "../output.ts";
import { registerSubcommands } from "../subcommands.ts";

const list: CliCommand = {
  register(command) {
    command.option("--json", "print the list as JSON").action((options: { json?: true }) => {
      const rows = modelNames.map((name) => {
        const { summary, source, imageSize, weights, recipe }: ModelSpec = registry[name];
        return { name, summary, source, imageSize, weights, ...(recipe && { recipe }) };
      });
      if (options.json) {
        printJson(rows);
        return;
      }
      const table = new Table({ head: ["model", "what", "pixels", "weights"], ...plain });
      for (const { name, summary, imageSize, weights } of rows) {
        table.push([name, summary, imageSize.join("×"), weights[0]?.repo ?? "–"]);
      }
      printText(`${table}\n`);
    });
  },
};

interface InfoOptions {
  classes: number;
  json?: true;
}

const info: CliCommand = {
  register(command) {
    command
      .argument("<model>", "its name, as `thaw models list` shows it")
      .option("--classes <count>", "outputs of the head", Number, 1000)
      .option("--json", "print it as JSON")
      .action(async (name: string, options: InfoOptions) => {
        const model = parseModelName(name);
        await ensureEngine();
        const facts = describe(model, options.classes);
        if (options.json) printJson(facts);
        else printText(`${present(facts)}\n`);
      });
  },
};

function describe(name: keyof typeof registry, classes: number) {
  const { summary, source, imageSize, weights }: ModelSpec = registry[name];
  using random = new Generator(0);
  using model = createModel(name, {
    classes,
    inChannels: 3,
    imageSize,
    random: { init: random, dropout: random },
  });
  const stages = model.stages.map((stage) => ({
    name: stage.name,
    parameters: stageParameters(stage).reduce((sum, parameter) => sum + parameter.elements, 0),
  }));
  return {
    ...{ name, summary, source, classes, input: [3, ...imageSize] as const },
    parameters: stages.reduce((sum, stage) => sum + stage.parameters, 0),
    multiplyAdds: multiplyAdds(model, [3, ...imageSize]),
    ...{ stages, weights },
  };
}

function present(facts: ReturnType<typeof describe>): string {
  const count = (value: number) => value.toLocaleString("en-US");
  const rows = new Table({ ...plain });
  rows.push(
    ["model", `${facts.name}: ${facts.summary}`],
    ["source", facts.source],
    ["input", facts.input.join("×")],
    ["parameters", `${count(facts.parameters)} for ${facts.classes} classes`],
    ["multiply-adds", `${(facts.multiplyAdds / 1e9).toFixed(3)} G an image`],
  );
  const stages = new Table({
    head: ["stage", "parameters"],
    colAligns: ["left", "right"],
    ...plain,
  });
  for (const { name, parameters } of facts.stages) stages.push([name, count(parameters)]);
  const weights = facts.weights.map(({ repo, origin, licence, classes, preprocessing: p }) =>
    [
      repo,
      `  ${origin}; ${classes} classes; ${licence}`,
      `  ${p.size.join("×")} pixels, crop ${p.crop}, ${p.interpolation}, mean ${p.mean.join(" ")}, deviation ${p.std.join(" ")}`,
    ].join("\n"),
  );
  const published = weights.length > 0 ? weights.join("\n") : "none published";
  return `${rows}\n\n${stages}\n\nweights\n${published}`;
}

/** Tables without lines. */
const plain = {
  chars: Object.fromEntries(
    [
      ...["top", "top-mid", "top-left", "top-right", "bottom", "bottom-mid", "bottom-left"],
      ...["bottom-right", "left", "left-mid", "mid", "mid-mid", "middle", "right", "right-mid"],
    ].map((part) => [part, ""]),
  ),
  style: { head: [], border: [], "padding-left": 0, "padding-right": 2 },
};

export const models: CliCommand = {
  async register(command, words) {
    const subcommands = {
      list: { summary: "every architecture, and whose weights it can start from", command: list },
      info: { summary: "parameters, multiply-adds, stages and weights of one", command: info },
    };
    await registerSubcommands(command, "models", subcommands, words);
  },
};
