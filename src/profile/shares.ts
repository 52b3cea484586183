import type { Classifier } from "../models/index.ts";
import type { Module } from "../nn/index.ts";
import type { Shares } from "../run/profile.ts";
import type { ProfilerEvent } from "../tensor/index.ts";
import { kindOf } from "./kinds.ts";
import type { ModuleSpan, Recording } from "./recording.ts";
import { type Nested, nest } from "./self-times.ts";
import { computingMs, type PhaseName, type Span, type Step } from "./steps.ts";

interface Node extends Span {
  readonly event?: ProfilerEvent;
  readonly module?: ModuleSpan;
}

/** The own time of an operator or of a call from JavaScript, and whose it is. */
interface Attributed {
  readonly name: string;
  readonly kind: string;
  readonly isCall: boolean;
  /** Nanoseconds without the operators and calls inside it. */
  readonly self: number;
  readonly backward: boolean;
  readonly module: ModuleSpan | undefined;
}

/** Rows beyond these are summed up by nobody: they are small. */
const MOST_OPERATORS = 40;
const MOST_MODULES = 60;
const OUTSIDE = "(outside of modules)";
const CALLS = "calls from JavaScript";

/** Where the time of the recorded steps went; undefined where no step was finished. */
export function sharesOf(recording: Recording, model: Classifier): Shares | undefined {
  const { steps, dropped } = recording;
  if (steps.length === 0) return undefined;
  const whole = steps.reduce((sum, step) => sum + computingMs(step), 0);
  const attributed = attribute(recording);
  const stageOf = stagesByModule(model);
  const row = (items: readonly Attributed[]) => {
    const ms = sum(items) / 1e6;
    return { ms: ms / steps.length, share: ms / whole };
  };
  const passes = (items: readonly Attributed[]) => ({
    forwardMs: row(items.filter(({ backward }) => !backward)).ms,
    backwardMs: row(items.filter(({ backward }) => backward)).ms,
    share: row(items).share,
  });
  const inModules = attributed.filter(({ module }) => module !== undefined);
  const stages = groups(attributed, ({ module }) => (module && stageOf(module.name)) ?? OUTSIDE);
  const stageNames = [...model.stages.map(({ name }) => name), OUTSIDE];
  return {
    batchSize: Math.max(...steps.map(({ images }) => images)),
    steps: steps.length,
    stepMs: whole / steps.length,
    inOperators: row(attributed.filter(({ isCall }) => !isCall)).share,
    inCalls: row(attributed.filter(({ isCall }) => isCall)).share,
    dropped,
    kinds: largest(
      groups(attributed, ({ kind }) => kind).map(([kind, items]) => ({ kind, ...row(items) })),
    ),
    operators: largest(
      groups(attributed, ({ name, kind }) => `${kind}\n${name}`).map(([, items]) => {
        const { name, kind } = items[0]!;
        return { name, kind, calls: items.length / steps.length, ...row(items) };
      }),
      MOST_OPERATORS,
    ),
    layers: largest(
      groups(attributed, ({ module }) => module?.type ?? OUTSIDE).map(([type, items]) => ({
        ...{ type, ...passes(items) },
      })),
    ),
    stages: stages
      .sort(([a], [b]) => stageNames.indexOf(a) - stageNames.indexOf(b))
      .map(([stage, items]) => ({ stage, ...passes(items) })),
    modules: largest(
      groups(inModules, ({ module }) => module!.name).map(([name, items]) => ({
        ...{ name, type: items[0]!.module!.type, ...passes(items) },
      })),
      MOST_MODULES,
    ),
  };
}

/**
 * The own time of every operator and call in the steps, without the wait for data. What runs in a module's forward pass is the
 * module's; what differentiates it is found by autograd's sequence numbers.
 */
function attribute({ steps, modules, events, thread }: Recording): Attributed[] {
  const nodes: Node[] = [
    ...modules.map((module) => ({ start: module.start, end: module.end, module })),
    ...events
      .filter((event) => event.thread === thread)
      .map((event) => ({ start: event.start, end: event.start + event.duration, event })),
  ];
  const nested = nest(nodes);
  const bySequence = new Map<number, ModuleSpan | undefined>();
  const result: Attributed[] = [];
  const phaseAt = phaseFinder(steps);
  // Modules take time of their own, which is JavaScript's.
  for (const node of nested) {
    const { event } = node.span;
    if (event === undefined) continue;
    const around = ancestor(node, ({ span }) => span.module !== undefined)?.span.module;
    // The last one with a number is the one that made the node.
    if (event.sequence >= 0 && event.kind !== "backward" && around !== undefined) {
      bySequence.set(event.sequence, around);
    }
    const phase = phaseAt(event.start);
    if (phase === undefined || phase === "data") continue;
    const isCall = event.kind === "call";
    const differentiates = phase === "backward" ? ancestor(node, isDifferentiating) : undefined;
    const sequence = differentiates?.span.event?.sequence ?? -1;
    result.push({
      name: event.name,
      kind: isCall ? CALLS : phase === "optimizer" ? "optimizer" : kindOf(event.name),
      isCall,
      self: node.self,
      backward: phase === "backward",
      module: around ?? bySequence.get(sequence),
    });
  }
  return result;
}

function isDifferentiating({ span: { event } }: Nested<Node>): boolean {
  return event?.kind === "backward" && event.sequence >= 0;
}

/** Itself or the nearest around it. */
function ancestor(
  node: Nested<Node>,
  wanted: (node: Nested<Node>) => boolean,
): Nested<Node> | undefined {
  for (let at: Nested<Node> | undefined = node; at !== undefined; at = at.parent) {
    if (wanted(at)) return at;
  }
  return undefined;
}

/** Asked of growing times: what the step is doing then. */
function phaseFinder(steps: readonly Step[]): (time: number) => PhaseName | undefined {
  const phases = steps.flatMap((step) => step.phases);
  let i = 0;
  return (time) => {
    while (i < phases.length && phases[i]!.end <= time) i++;
    const phase = phases[i];
    return phase !== undefined && phase.start <= time ? phase.name : undefined;
  };
}

/** The stage whose modules a module is one of, or lies in. */
function stagesByModule(model: Classifier): (name: string) => string | undefined {
  const stages = new Map<Module, string>();
  for (const { name, modules } of model.stages) {
    for (const module of modules) {
      for (const [, inner] of module.namedModules()) stages.set(inner, name);
    }
  }
  const names = new Map(model.namedModules().map(([name, module]) => [name, stages.get(module)]));
  return (name) => names.get(name);
}

function sum(items: readonly Attributed[]): number {
  return items.reduce((total, { self }) => total + self, 0);
}

function groups<T>(items: readonly T[], by: (item: T) => string): [string, T[]][] {
  const found = new Map<string, T[]>();
  for (const item of items) {
    const key = by(item);
    const own = found.get(key);
    if (own === undefined) found.set(key, [item]);
    else own.push(item);
  }
  return [...found];
}

function largest<T extends { readonly share: number }>(rows: T[], most = rows.length): T[] {
  return rows.sort((a, b) => b.share - a.share).slice(0, most);
}
