export { withKnownRates } from "./find-rates.ts";
export {
  type RecipeEvents,
  type RecipeOptions,
  type RecipeOutcome,
  runRecipe,
} from "./run-recipe.ts";
