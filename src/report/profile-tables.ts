import { largestMeasured, type Profile, type ProfiledModel, readProfile } from "../run/profile.ts";
import type { Run } from "../run/read.ts";
import { bytes, count, percent } from "./format.ts";
import type { PlainTable } from "./table.ts";

/** The tables of a profile, for Markdown and the terminal. */
export function profileTables(profile: Profile): PlainTable[] {
  const { models } = profile;
  return [
    costTable(profile),
    speedTable(models),
    stepTable(models),
    ...models.flatMap(shareTables),
  ];
}

/** Runs that were profiled while they trained, a row each; none where none was. */
export function profiledRuns(runs: readonly Run[]): PlainTable[] {
  const rows = runs.flatMap(({ dir, name }) => {
    const profile = readProfile(dir);
    const [model] = profile?.models ?? [];
    const batch = model && largestMeasured(model);
    if (profile === undefined || model === undefined || batch === undefined) return [];
    const { phases, latency } = batch;
    const whole = Object.values(phases).reduce((sum, ms) => sum + ms, 0);
    const share = (ms: number) => percent(whole === 0 ? 0 : ms / whole, 0);
    const [first, second] = model.shares?.kinds ?? [];
    return [
      [
        ...[name, count(batch.batchSize), `${figure(latency.p50)} (${figure(latency.p95)})`],
        ...[phases.data, phases.forward, phases.backward, phases.optimizer].map(share),
        [first, second]
          .flatMap((row) => (row ? [`${row.kind} ${percent(row.share, 0)}`] : []))
          .join(", ") || "–",
        batch.gflops === null ? "–" : count(batch.gflops),
        batch.ofGemm === null ? "–" : percent(batch.ofGemm, 0),
        bytes(batch.peakTensorBytes),
      ],
    ];
  });
  if (rows.length === 0) return [];
  return [
    {
      title: "Where the time goes",
      note: "Of the runs that were trained with --profile: a window of their steps, medians. Shares are of the step with its wait for data; GFLOP/s are set against what a matrix product reaches on the machine.",
      head: [
        ...["Run", "Batch", "Step in ms (p95)", "Data", "Forward", "Backward", "Optimizer"],
        ...["Largest shares", "GFLOP/s", "Of a matrix product", "Peak of tensors"],
      ],
      rows,
    },
  ];
}

function costTable({ models, mode }: Profile): PlainTable {
  return {
    title: "Models",
    note: `Multiply-adds are of one image's forward pass; mode: ${mode}.`,
    head: ["Model", "Input", "Parameters", "Multiply-adds"],
    rows: models.map(({ model, input, parameters, multiplyAdds }) => [
      ...[model, input.join("x"), count(parameters), `${(multiplyAdds / 1e9).toFixed(3)} G`],
    ]),
  };
}

function speedTable(models: readonly ProfiledModel[]): PlainTable {
  return {
    title: "Speed and memory",
    note: "Milliseconds of a step without its wait for data. Spread: the middle half of the steps, of their median. GFLOP/s count a multiply-add twice, and a backward pass as two forward passes.",
    head: [
      ...["Model", "Batch", "Images/s", "p50 ms", "p95", "p99", "Spread", "Steps"],
      ...["GFLOP/s", "Of a matrix product", "Peak of tensors", "Peak of the process"],
    ],
    rows: models.flatMap(({ model, batches }) =>
      batches.map((batch) => {
        if (batch.kind !== "measured") {
          const fits = batch.fits === null ? "nothing fits" : `${batch.fits} would fit`;
          return [
            model,
            count(batch.batchSize),
            `no memory: ${fits}`,
            ...Array<string>(9).fill("–"),
          ];
        }
        const { latency, spread, noisy, gflops, ofGemm, peakProcessBytes } = batch;
        return [
          ...[model, count(batch.batchSize), figure(batch.imagesPerSecond)],
          ...[latency.p50, latency.p95, latency.p99].map(figure),
          `${percent(spread, 1)}${noisy ? " noisy" : ""}`,
          count(batch.steps),
          gflops === null ? "–" : count(gflops),
          ofGemm === null ? "–" : percent(ofGemm, 0),
          bytes(batch.peakTensorBytes),
          peakProcessBytes === null ? "–" : bytes(peakProcessBytes),
        ];
      }),
    ),
  };
}

function stepTable(models: readonly ProfiledModel[]): PlainTable {
  return {
    title: "A step",
    note: "Milliseconds, medians.",
    head: ["Model", "Batch", "Data", "Forward", "Backward", "Optimizer", "Other"],
    rows: models.flatMap(({ model, batches }) =>
      batches.flatMap((batch) => {
        if (batch.kind !== "measured") return [];
        const { data, forward, backward, optimizer, other } = batch.phases;
        return [
          [
            model,
            count(batch.batchSize),
            ...[data, forward, backward, optimizer, other].map(figure),
          ],
        ];
      }),
    ),
  };
}

/** Rows of a table of many. */
const MOST = 15;

function shareTables({ model, shares }: ProfiledModel): PlainTable[] {
  if (shares === null) return [];
  const [inOperators, inCalls] = [shares.inOperators, shares.inCalls].map((share) =>
    percent(share, 1),
  );
  const steps = `${shares.steps} recorded step${shares.steps === 1 ? "" : "s"} of ${shares.batchSize} images, ${figure(shares.stepMs)} ms each`;
  const passes = (row: { forwardMs: number; backwardMs: number; share: number }) => [
    ...[figure(row.forwardMs), figure(row.backwardMs), percent(row.share, 1)],
  ];
  const head = ["Forward ms", "Backward ms", "Share"];
  return [
    {
      title: `${model}: by kind of operator`,
      note: `${steps}; operators are ${inOperators} of it, calls of them from JavaScript ${inCalls}. Times without the operators inside.`,
      head: ["Kind", "ms", "Share"],
      rows: shares.kinds.map((row) => [row.kind, figure(row.ms), percent(row.share, 1)]),
    },
    {
      title: `${model}: by operator`,
      note: "Calls and milliseconds of a step.",
      head: ["Operator", "Kind", "Calls", "ms", "Share"],
      rows: shares.operators
        .slice(0, MOST)
        .map((row) => [
          row.name,
          row.kind,
          count(row.calls),
          figure(row.ms),
          percent(row.share, 1),
        ]),
    },
    {
      title: `${model}: by layer`,
      note: "Time of the operators in a layer's forward pass and of what differentiates them.",
      head: ["Layer", ...head],
      rows: shares.layers.slice(0, MOST).map((row) => [row.type, ...passes(row)]),
    },
    {
      title: `${model}: by stage`,
      note: "Stem to head.",
      head: ["Stage", ...head],
      rows: shares.stages.map((row) => [row.stage, ...passes(row)]),
    },
    {
      title: `${model}: by module`,
      note: "The most expensive ones.",
      head: ["Module", "Layer", ...head],
      rows: shares.modules
        .slice(0, MOST)
        .map((row) => [row.name || "(the network itself)", row.type, ...passes(row)]),
    },
  ];
}

/** Three digits; of larger numbers all. */
function figure(value: number): string {
  return value >= 100 ? count(value) : value.toPrecision(3);
}
