import { models } from "../../registry.ts";
import type { ModelSpec, PublishedWeights } from "../../spec.ts";
import { releases } from "./releases.ts";

const specs: Readonly<Record<string, ModelSpec>> = models;

/** Every repository that Thaw knows by name, for "did you mean". */
export function publishedRepos(): string[] {
  const repos = Object.values(specs).flatMap(({ weights }) => weights.map(({ repo }) => repo));
  return [...new Set([...repos, ...releases.map(({ repo }) => repo)])];
}

/** What the registry says about the weights of a repository. */
export function publishedWeights(repo: string): PublishedWeights | undefined {
  return Object.values(specs)
    .flatMap(({ weights }) => weights)
    .find((weights) => weights.repo === repo);
}

/** The repository of a model's default weights, by the model's name. */
export function repoOfModel(name: string): string | undefined {
  const known = Object.hasOwn(specs, name) ? specs[name]?.weights[0]?.repo : undefined;
  return known ?? releases.find(({ model }) => model === name)?.repo;
}

/** Models that have default weights. */
export function pretrainedModels(): string[] {
  const names = [...Object.keys(specs), ...releases.map(({ model }) => model)];
  return [...new Set(names)].filter((name) => repoOfModel(name) !== undefined);
}
