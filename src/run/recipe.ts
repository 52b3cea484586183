import { type ModelName, models, type Recipe } from "../models/index.ts";
import { defaultStrategy, onlyWith, type TrainConfigInput } from "./config.ts";

type Document = Readonly<Record<string, unknown>>;

/** Where training starts from weights, the less is frozen the smaller the steps: reference values for Adam. */
const transferRecipes: Readonly<Record<string, Partial<TrainConfigInput>>> = {
  freeze: { epochs: 15, batchSize: 32, opt: "adam", lr: 1e-3 },
  partial: { epochs: 15, batchSize: 32, opt: "adam", lr: 1e-4 },
  gradual: { epochs: 15, batchSize: 32, opt: "adam", lr: 1e-4 },
  full: { epochs: 20, batchSize: 32, opt: "adam", lr: 1e-5 },
};

/**
 * What the strategy's recipe, from scratch the model's own, says about keys that are not given. Its
 * optimizer or schedule gives way where a key is given that fits others only, and its learning rate
 * where its optimizer does.
 */
export function recipeFor(given: Document): Document {
  const { lr, ...rest } = recipeOf(given);
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

function recipeOf(given: Document): Partial<TrainConfigInput> {
  const { strategy = defaultStrategy(given) } = given;
  if (typeof strategy !== "string") return {};
  if (strategy !== "scratch") return transferRecipes[strategy] ?? {};
  const name = given["model"];
  if (typeof name !== "string" || !Object.hasOwn(models, name)) return {};
  const recipe: Recipe | undefined = models[name as ModelName].recipe;
  return recipe ?? {};
}
