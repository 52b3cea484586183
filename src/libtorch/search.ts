import { CompileFailure } from "./compile.ts";
import type { Host, Log } from "./host.ts";
import type { LibtorchBuild } from "./inspect.ts";
import { INSTALLERS, noLibtorch } from "./install.ts";
import { asStep, candidates, describeBuild, type LocateStep } from "./locate.ts";
import { ProbeFailure } from "./probe.ts";
import type { PassedOver } from "./stamp.ts";

/** A libtorch that works, what its attempt gave, and those that were found before it and do not. */
export interface Usable<T> {
  readonly libtorch: LibtorchBuild;
  readonly result: T;
  readonly passedOver: readonly PassedOver[];
}

/** Compiles against a libtorch and loads it. */
type Attempt<T> = (libtorch: LibtorchBuild) => Promise<T>;

interface Machine {
  readonly host: Host;
  readonly cache: string;
  readonly log: Log;
}

/**
 * The first libtorch of the chain that passes the attempt; if none does, one is installed by apt or
 * downloaded, and tried. One that fails by its own fault is passed over, unless it was chosen explicitly.
 * @throws ThawError that lists every step tried and what a person can do; or what an attempt threw
 * that another libtorch would not mend.
 */
export async function findUsable<T>(machine: Machine, attempt: Attempt<T>): Promise<Usable<T>> {
  const search = new Search(machine, attempt);
  const found = await search.firstUsable();
  if (found !== undefined) return found;
  machine.log("no libtorch on this machine that can be used: installing one");
  for (const { step, install } of INSTALLERS) {
    const failure = await install(machine.host, machine.cache, machine.log);
    if (failure !== undefined) {
      machine.log(`${step}: ${failure}`);
      search.note({ step, found: false, outcome: failure });
      continue;
    }
    const installed = await search.firstUsable(step);
    if (installed !== undefined) return installed;
  }
  throw noLibtorch(search.steps);
}

class Search<T> {
  readonly #machine: Machine;
  readonly #attempt: Attempt<T>;
  readonly #steps: LocateStep[] = [];
  readonly #passedOver: PassedOver[] = [];

  constructor(machine: Machine, attempt: Attempt<T>) {
    this.#machine = machine;
    this.#attempt = attempt;
  }

  /** What became of each place. */
  get steps(): readonly LocateStep[] {
    return this.#steps;
  }

  note(step: LocateStep): void {
    this.#steps.push(step);
  }

  /** The first candidate not tried before that works; `after` names the installation that may have added it. */
  async firstUsable(after?: string): Promise<Usable<T> | undefined> {
    const { host, cache } = this.#machine;
    let isNew = false;
    for await (const candidate of candidates(host, cache)) {
      if ("reason" in candidate) {
        if (after === undefined) this.note(asStep(candidate));
        continue;
      }
      const { step, libtorch, explicit } = candidate;
      if (this.#passedOver.some(({ libDir }) => libDir === libtorch.libDir)) continue;
      isNew = true;
      try {
        return {
          libtorch,
          result: await this.#attempt(libtorch),
          passedOver: this.#passedOver,
        };
      } catch (error) {
        const reason = whyPassedOver(error);
        if (reason === undefined || explicit) throw error;
        this.#passOver(step, libtorch, reason);
      }
    }
    if (after !== undefined && !isNew) {
      this.note({ step: after, found: false, outcome: "done, but no libtorch was found after it" });
    }
    return undefined;
  }

  #passOver(step: string, libtorch: LibtorchBuild, reason: string): void {
    this.#machine.log(`passing over libtorch ${describeBuild(libtorch)}: ${reason}`);
    this.#passedOver.push({ step, libDir: libtorch.libDir, reason });
    this.note({ step, found: false, outcome: `${describeBuild(libtorch)}: ${reason}` });
  }
}

/** Why a libtorch cannot be used, in one line; undefined for a fault that another one would have as well. */
function whyPassedOver(error: unknown): string | undefined {
  if (error instanceof CompileFailure) return `does not compile: ${error.reason} (${error.hint})`;
  if (error instanceof ProbeFailure) return `${error.reason} (${error.hint})`;
  return undefined;
}
