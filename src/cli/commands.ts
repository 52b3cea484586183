import type { CliCommand } from "./command.ts";

/** A line of the table: what `thaw --help` shows, and where the command is. */
export interface CommandEntry {
  readonly summary: string;
  load(): Promise<CliCommand>;
}

/** Every command, in the order of `thaw --help`. A new one is one file and one line here. */
export const commands: Readonly<Record<string, CommandEntry>> = {
  train: {
    summary: "train a model and judge it on the test set",
    load: async () => (await import("./commands/train.ts")).train,
  },
  evaluate: {
    summary: "judge a run's best model, or a file of weights",
    load: async () => (await import("./commands/evaluate.ts")).evaluate,
  },
  sanity: {
    summary: "look for mistakes in data, model and config before training",
    load: async () => (await import("./commands/sanity.ts")).sanity,
  },
  "lr-find": {
    summary: "find a learning rate by a range test",
    load: async () => (await import("./commands/lr-find.ts")).lrFind,
  },
  compare: {
    summary: "train a matrix of runs and set them beside each other",
    load: async () => (await import("./commands/compare.ts")).compare,
  },
  report: {
    summary: "set runs beside each other in one page",
    load: async () => (await import("./commands/report.ts")).report,
  },
  explain: {
    summary: "show where in its images a run's model looks",
    load: async () => (await import("./commands/explain.ts")).explain,
  },
  export: {
    summary: "write a run's model as an ONNX file, checked against the model",
    load: async () => (await import("./commands/export.ts")).exportCommand,
  },
  predict: {
    summary: "label images with an exported file or a run",
    load: async () => (await import("./commands/predict.ts")).predict,
  },
  push: {
    summary: "upload an export and its card to the Hugging Face hub",
    load: async () => (await import("./commands/push.ts")).push,
  },
  profile: {
    summary: "measure where a model's time and memory go",
    load: async () => (await import("./commands/profile.ts")).profile,
  },
  track: {
    summary: "send a run's record to MLflow",
    load: async () => (await import("./commands/track.ts")).track,
  },
  data: {
    summary: "look into a data set, prepare one from a folder of images, or pack one",
    load: async () => (await import("./commands/data.ts")).data,
  },
  models: {
    summary: "list the architectures, or describe one",
    load: async () => (await import("./commands/models.ts")).models,
  },
  doctor: {
    summary: "say what was found on this machine, what is used and why",
    load: async () => (await import("./commands/doctor.ts")).doctor,
  },
  setup: {
    summary: "find or install libtorch, compile the addon and try it",
    load: async () => (await import("./commands/setup.ts")).setup,
  },
};
