import { join } from "node:path";
import { isFile, isUrl, obtainArtifact } from "../../../data/datasets/sources.ts";
import { ThawError } from "../../../errors.ts";
import { withLock } from "../../../libtorch/lock.ts";
import { writeWhole } from "../../../platform/durable.ts";
import type { FoundWeights, MirrorOptions } from "./mirror.ts";
import type { WeightsRelease } from "./releases.ts";

/**
 * A release's file, by checksum: from Thaw's cache, from a mirror (alone or in its archive), from its own address. It
 * ends in Thaw's cache, from where it is used.
 * @throws ThawError that lists every source tried and why it did not do.
 */
export async function findRelease(
  release: WeightsRelease,
  mirror: string | undefined,
  { cacheFolder, offline, onProgress, stallMs }: MirrorOptions,
): Promise<FoundWeights> {
  const { url: _, ...artifact } = release.artifact;
  const path = releasePath(release, cacheFolder);
  const file = artifact.packings[0]?.file ?? release.title;
  const found = await withLock(join(cacheFolder, `${file}.lock`), async () => {
    const { contents, origin } = await obtainArtifact(
      { name: release.model, title: `weights of ${release.title}` },
      offline ? artifact : release.artifact,
      {
        cacheFolder,
        mirror: offline && mirror !== undefined && isUrl(mirror) ? undefined : mirror,
        stallMs,
        onProgress: ({ phase, file: packed, received, total }) => {
          if (phase === "download") onProgress?.({ file: packed, received, total });
        },
      },
    );
    const bytes = contents.get(file)?.bytes;
    if (bytes === undefined) throw new ThawError(`${origin} does not hold ${file}`);
    if (!(await isFile(path))) await writeWhole(path, [bytes]);
    return { path, source: origin };
  });
  return release.note === undefined ? found : { ...found, notes: [release.note] };
}

/** Where the file lies once it was found. */
export function releasePath({ artifact, model }: WeightsRelease, cacheFolder: string): string {
  return join(cacheFolder, artifact.packings[0]?.file ?? model);
}
