import type { HParam } from "./hparams.ts";

/** A config as one level: groups are opened (`augment.crop`), lists are texts. What decides no number of the run is left out. */
export function flatParams(config: Readonly<Record<string, unknown>>): Record<string, HParam> {
  const { name: _name, out: _out, track: _track, ...rest } = config;
  return Object.fromEntries(flat(rest, ""));
}

function flat(group: Readonly<Record<string, unknown>>, prefix: string): [string, HParam][] {
  return Object.entries(group).flatMap(([key, value]): [string, HParam][] => {
    const name = prefix + key;
    if (value === undefined) return [];
    if (Array.isArray(value)) return [[name, value.join(", ")]];
    if (typeof value === "object" && value !== null) {
      return flat(value as Record<string, unknown>, `${name}.`);
    }
    const isPlain = typeof value === "number" || typeof value === "boolean";
    return [[name, isPlain ? value : String(value)]];
  });
}
