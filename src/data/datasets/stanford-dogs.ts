import { basename, posix } from "node:path";
import { ThawError } from "../../errors.ts";
import { withoutSynset } from "../folders/choose-classes.ts";
import { extractArchive } from "../folders/extract.ts";
import { listImageFolder } from "../folders/image-folder.ts";
import { type ListedFile, type Listing, makeListing, type SplitName } from "../folders/listing.ts";
import { archiveEntries } from "../formats/archive.ts";
import { DamagedFileError } from "../formats/damaged.ts";
import { cellTexts } from "../formats/mat5.ts";
import type { Artifact } from "./registry.ts";
import { obtainFile, type SourceOptions } from "./sources.ts";
import { verifyPacked } from "./unpack.ts";

const images = {
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

/** Which image is in which split; 100 of each breed are for training. */
const lists = {
  packings: [
    {
      file: "lists.tar",
      checksums: ["sha256:34b47cacd9a98b5d150e084f24d29391c084c55272295ec65c85651bc35f4d6c"],
    },
  ],
  url: "http://vision.stanford.edu/aditya86/ImageNetDogs/lists.tar",
  maxBytes: 2_000_000,
  contents: [],
} as const satisfies Artifact;

const OFFICIAL = { images: 20_580, breeds: 120 };

type ListOptions = SourceOptions & { readonly cache: string };

/**
 * Stanford Dogs (Khosla et al. 2011): 120 breeds in folders such as `Images/n02088364-beagle`, of which
 * the synset is left away. Split by the authors' lists where those lie beside the images.
 */
export const stanfordDogs = {
  name: "stanford-dogs",
  title: "Stanford Dogs",
  list: (options: ListOptions): Promise<Listing> => listDogs({ images, lists }, options),
} as const;

/** {@link stanfordDogs} from other archives. */
export async function listDogs(
  archives: { readonly images: Artifact; readonly lists: Artifact },
  options: ListOptions,
): Promise<Listing> {
  const { accepted, origin, path } = await obtainFile(
    stanfordDogs,
    archives.images,
    options,
    verifyPacked,
  );
  const { folder, notes } = await extractArchive(path, options.cache, {
    sha256: accepted,
    onBytes: (received) =>
      options.onProgress?.({ phase: "unpack", file: basename(path), received, total: undefined }),
  });
  const { name, root, passedOver, ...listed } = listImageFolder(folder, {
    name: stanfordDogs.name,
    shown: path,
  });
  const breeds = listed.classes.length;
  const part =
    listed.files.length === OFFICIAL.images && breeds === OFFICIAL.breeds
      ? []
      : [
          `this copy has ${listed.files.length} of the ${OFFICIAL.images} official images, ${breeds} of the ${OFFICIAL.breeds} breeds`,
        ];
  const found = await findLists(archives.lists, options, origin === archives.images.url);
  const split =
    found === undefined
      ? { files: listed.files, notes: ["lists.tar is not there: not split by the authors' lists"] }
      : bySplit(listed.files, await readLists(found));
  return makeListing({
    ...{ name, root, passedOver, isFixed: true },
    files: split.files.map((file) => ({ ...file, className: withoutSynset(file.className) })),
    notes: [
      `${stanfordDogs.title} from ${origin}`,
      ...part,
      ...split.notes,
      ...notes,
      ...listed.notes,
    ],
  });
}

/** Nothing is asked for over the network but beside images that were. */
async function findLists(
  { url, ...artifact }: Artifact,
  options: ListOptions,
  isOfficial: boolean,
): Promise<string | undefined> {
  const asked = isOfficial && url !== undefined ? { ...artifact, url } : artifact;
  try {
    return (await obtainFile(stanfordDogs, asked, options, verifyPacked)).path;
  } catch (error) {
    if (error instanceof DamagedFileError || !(error instanceof ThawError)) throw error;
    return undefined;
  }
}

const files: Readonly<Record<string, SplitName>> = {
  "train_list.mat": "train",
  "test_list.mat": "test",
};

/** The split of every image, by its name. @throws DamagedFileError where a list is missing or unreadable. */
async function readLists(path: string): Promise<Map<string, SplitName>> {
  const splitOf = new Map<string, SplitName>();
  const missing = new Set(Object.keys(files));
  const limits = { maxTotalBytes: 2 ** 24, maxEntryBytes: 2 ** 22, maxEntries: 100 };
  const wanted = (entry: string) => Object.hasOwn(files, posix.basename(entry));
  for await (const { path: entry, bytes } of archiveEntries(path, { wanted, limits })) {
    const name = posix.basename(entry);
    missing.delete(name);
    for (const image of cellTexts(bytes, "file_list", `${path}: ${name}`)) {
      splitOf.set(posix.basename(image), files[name]!);
    }
  }
  if (missing.size === 0) return splitOf;
  throw new DamagedFileError(`${path}: ${[...missing].join(", ")} not in it`);
}

/** An image's name is its own in all of ImageNet, whatever its folder is called. */
function bySplit(
  all: readonly ListedFile[],
  splitOf: ReadonlyMap<string, SplitName>,
): Pick<Listing, "files" | "notes"> {
  const listed = all.flatMap((file) => {
    const split = splitOf.get(posix.basename(file.name));
    return split === undefined ? [] : [{ ...file, split }];
  });
  const train = listed.filter(({ split }) => split === "train").length;
  const notes = [
    `split by the authors' lists: ${train} training and ${listed.length - train} test images`,
  ];
  if (listed.length < all.length) {
    notes.push(`warning: ${all.length - listed.length} images in neither list are left out`);
  }
  return { files: listed, notes };
}
