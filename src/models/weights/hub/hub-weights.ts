import { ThawError } from "../../../errors.ts";
import { MAX_DESCRIPTION_BYTES } from "./description.ts";
import type { FoundWeights } from "./mirror.ts";
import { hubWeightFiles } from "./reference.ts";
import type { HubRepository } from "./repository.ts";

/**
 * The weights of a repository and what describes them: `model.safetensors` before `pytorch_model.bin`.
 * @throws ThawError if it has neither, or only shards.
 */
export async function findOnHub(repository: HubRepository): Promise<FoundWeights> {
  const { repo } = repository;
  for (const file of hubWeightFiles) {
    const path = await repository.file(file);
    if (path !== undefined) {
      return {
        path,
        source: `${repo}@${repository.revision}`,
        revision: repository.commit!,
        config: await repository.file("config.json", MAX_DESCRIPTION_BYTES),
        preprocessor: await repository.file("preprocessor_config.json", MAX_DESCRIPTION_BYTES),
        notes: repository.notes,
      };
    }
    const index = `${file}.index.json`;
    if ((await repository.file(index, MAX_DESCRIPTION_BYTES)) !== undefined) {
      throw new ThawError(`${repo}: its weights are in several files (${index})`, {
        hint: "weights in several files are not read: save them as one file and give its path as --weights",
      });
    }
  }
  throw (
    repository.failure ??
    new ThawError(`${repo} has no ${hubWeightFiles.join(" and no ")} at ${repository.revision}`, {
      hint: "download the file that has its weights and give its path as --weights",
    })
  );
}
