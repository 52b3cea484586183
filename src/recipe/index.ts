export { asBegun } from "./choose-weights.ts";
export {
  type RecipeEvents,
  type RecipeOptions,
  type RecipeOutcome,
  runRecipe,
} from "./run-recipe.ts";
