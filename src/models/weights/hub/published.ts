import { models } from "../../registry.ts";
import type { ModelSpec, PublishedWeights } from "../../spec.ts";

const specs: Readonly<Record<string, ModelSpec>> = models;

/** Every repository that Thaw knows by name, for "did you mean". */
export function publishedRepos(): string[] {
  return Object.values(specs).flatMap(({ weights }) => weights.map(({ repo }) => repo));
}

/** What the registry says about the weights of a repository. */
export function publishedWeights(repo: string): PublishedWeights | undefined {
  return Object.values(specs)
    .flatMap(({ weights }) => weights)
    .find((weights) => weights.repo === repo);
}

/** The model that a repository's published weights are of. */
export function modelOfRepo(repo: string): string | undefined {
  return Object.keys(specs).find((name) => specs[name]?.weights.some((one) => one.repo === repo));
}

/** The repository of a model's default weights, by the model's name. */
export function repoOfModel(name: string): string | undefined {
  return Object.hasOwn(specs, name) ? specs[name]?.weights[0]?.repo : undefined;
}

/** Models that have default weights. */
export function pretrainedModels(): string[] {
  return Object.keys(specs).filter((name) => repoOfModel(name) !== undefined);
}
