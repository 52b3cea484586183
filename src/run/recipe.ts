import { type ModelName, models, type Recipe } from "../models/index.ts";
import { onlyWith } from "./config.ts";

type Document = Readonly<Record<string, unknown>>;

/**
 * What a model's own recipe says about keys that are not given. Its optimizer or schedule gives way
 * where a key is given that fits others only, and its learning rate where its optimizer does.
 */
export function recipeFor(given: Document): Document {
  const name = given["model"];
  if (typeof name !== "string" || !Object.hasOwn(models, name)) return {};
  const { lr, ...rest }: Partial<Recipe> = models[name as ModelName].recipe ?? {};
  const chosen: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(rest)) {
    const fits = Object.entries(onlyWith).every(
      ([other, { by, to }]) =>
        by !== key || given[other] === undefined || to.includes(String(value)),
    );
    if (given[key] === undefined && fits) chosen[key] = value;
  }
  const isItsOptimizer = (given["opt"] ?? chosen["opt"]) === rest.opt;
  if (lr !== undefined && isItsOptimizer && given["lr"] === undefined) chosen["lr"] = lr;
  return chosen;
}
