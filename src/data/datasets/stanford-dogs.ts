import { basename } from "node:path";
import { withoutSynset } from "../folders/choose-classes.ts";
import { extractArchive } from "../folders/extract.ts";
import { listImageFolder } from "../folders/image-folder.ts";
import { type Listing, makeListing } from "../folders/listing.ts";
import type { Artifact } from "./registry.ts";
import { obtainFile, type SourceOptions } from "./sources.ts";
import { verifyPacked } from "./unpack.ts";

const archive = {
  packings: [
    {
      file: "images.tar",
      checksums: ["sha256:a443fc2f9a851aa1a7b8e4fa4af94b8459fce2c9f5a2f4dd4669cf9673a4ec58"],
    },
    // A mirror's: five breeds, the dogs cut out and squeezed to 224 × 224.
    {
      file: "stanford-dogs-5.tar.gz",
      checksums: ["sha256:372796d8d16e076e7c8b34059561ba61e3dc48973108c40efa45eb07b26d79f8"],
    },
  ],
  url: "http://vision.stanford.edu/aditya86/ImageNetDogs/images.tar",
  maxBytes: 1_000_000_000,
  contents: [],
} as const satisfies Artifact;

const OFFICIAL = { images: 20_580, breeds: 120 };

/**
 * Stanford Dogs (Khosla et al. 2011): 120 breeds in folders such as `Images/n02088364-beagle`, of which
 * the synset is left away. Split by us, not by the authors' lists.
 */
export const stanfordDogs = {
  name: "stanford-dogs",
  title: "Stanford Dogs",
  async list(options: SourceOptions & { readonly cache: string }): Promise<Listing> {
    const { accepted, origin, path } = await obtainFile(
      stanfordDogs,
      archive,
      options,
      verifyPacked,
    );
    const { folder, notes } = await extractArchive(path, options.cache, {
      sha256: accepted,
      onBytes: (received) =>
        options.onProgress?.({ phase: "unpack", file: basename(path), received, total: undefined }),
    });
    const listed = listImageFolder(folder, stanfordDogs.name);
    const breeds = listed.classes.length;
    const part =
      listed.files.length === OFFICIAL.images && breeds === OFFICIAL.breeds
        ? []
        : [
            `this copy has ${listed.files.length} of the ${OFFICIAL.images} official images, ${breeds} of the ${OFFICIAL.breeds} breeds`,
          ];
    return makeListing({
      ...listed,
      files: listed.files.map((file) => ({ ...file, className: withoutSynset(file.className) })),
      notes: [`${stanfordDogs.title} from ${origin}`, ...part, ...notes, ...listed.notes],
    });
  },
} as const;
