import { cifarImageSet } from "../formats/cifar.ts";
import { idxImageSet } from "../formats/idx.ts";
import type { ImageSet } from "../imageset.ts";

/** `md5:…` or `sha256:…`, in lower-case hexadecimal. */
export type Checksum = `${"md5" | "sha256"}:${string}`;

/** One form in which an artifact is handed around. Told apart by file name. */
export interface Packing {
  readonly file: string;
  /** Of the packed file itself: each is of a copy known to be whole. */
  readonly checksums: readonly Checksum[];
}

/** A file that counts, as it is once unpacked. */
export interface Content {
  readonly name: string;
  /** The most it may have. */
  readonly maxBytes: number;
  /** Accepted sha256; a packed file with a known checksum vouches for what is not listed. */
  readonly sha256: readonly string[];
}

/** What has to be fetched in one piece. */
export interface Artifact {
  /** Best first; the official one is first. */
  readonly packings: readonly Packing[];
  /** Where the first packing comes from; undefined if only mirrors have it. */
  readonly url?: string;
  /** The most that a packed file may have. */
  readonly maxBytes: number;
  readonly contents: readonly Content[];
}

/** A data set that `--data` knows by name: everything about it is in here. */
export interface BuiltinDataset {
  readonly name: string;
  readonly title: string;
  readonly classes: readonly string[];
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Of the official data; other copies may have fewer, which is then said. */
  readonly officialCounts: { readonly train: number; readonly test: number };
  readonly artifacts: readonly Artifact[];
  /** A package of the system that brings the files, and where it puts them. */
  readonly system?: { readonly folder: string; readonly install: string };
  /** From verified contents, by name, to images. */
  readonly decode: (content: (name: string) => NamedBytes) => { train: ImageSet; test: ImageSet };
}

export interface NamedBytes {
  readonly bytes: Uint8Array;
  /** For errors. */
  readonly where: string;
}

const fashionClasses = [
  "T-shirt/top",
  "Trouser",
  "Pullover",
  "Dress",
  "Coat",
  "Sandal",
  "Shirt",
  "Sneaker",
  "Bag",
  "Ankle boot",
] as const;

/**
 * `md5` is the official archive's. Debian packs the same contents under another gzip header: with
 * the official header (original name, time stamp of 2017-08-31) put back, Debian's four files have
 * exactly these official checksums, so the sha256 of the contents hold for both.
 */
function fashionFile(name: string, bytes: number, md5: string, debianMd5: string, sha256: string) {
  return {
    packings: [{ file: `${name}.gz`, checksums: [`md5:${md5}`, `md5:${debianMd5}`] }],
    url: `http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/${name}.gz`,
    maxBytes: bytes + 4096,
    contents: [{ name, maxBytes: bytes, sha256: [sha256] }],
  } satisfies Artifact;
}

/** Zalando's article images (Xiao, Rasul & Vollgraf 2017). */
const fashionMnist = {
  name: "fashion-mnist",
  title: "Fashion-MNIST",
  classes: fashionClasses,
  channels: 1,
  height: 28,
  width: 28,
  officialCounts: { train: 60_000, test: 10_000 },
  artifacts: [
    fashionFile(
      "train-images-idx3-ubyte",
      47_040_016,
      "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
      "cf8536b0aa1a6ac5fa3f23001093305c",
      "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    ),
    fashionFile(
      "train-labels-idx1-ubyte",
      60_008,
      "25c81989df183df01b3e8a0aad5dffbe",
      "10bea18fdb374794d4bb42e356e600c9",
      "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    ),
    fashionFile(
      "t10k-images-idx3-ubyte",
      7_840_016,
      "bef4ecab320f06d8554ea6380940ec79",
      "f78720b4224f21cce2f2ccf2d7a94c9a",
      "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    ),
    fashionFile(
      "t10k-labels-idx1-ubyte",
      10_008,
      "bb300cfdad3c16e7a12a480ee83cd310",
      "0d30e22e447f3c33dab9ed536400ac01",
      "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
  ],
  system: {
    folder: "/usr/share/datasets/fashion-mnist",
    install: "apt-get install dataset-fashion-mnist",
  },
  decode: (content) => ({
    train: idxImageSet(
      content("train-images-idx3-ubyte"),
      content("train-labels-idx1-ubyte"),
      fashionClasses,
    ),
    test: idxImageSet(
      content("t10k-images-idx3-ubyte"),
      content("t10k-labels-idx1-ubyte"),
      fashionClasses,
    ),
  }),
} as const satisfies BuiltinDataset;

const cifarClasses = [
  "airplane",
  "automobile",
  "bird",
  "cat",
  "deer",
  "dog",
  "frog",
  "horse",
  "ship",
  "truck",
] as const;

const cifarTrainBatches = [
  "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
  "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
  "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
  "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
  "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
].map((sha256, i) => ({ name: `data_batch_${i + 1}.bin`, maxBytes: 30_730_000, sha256: [sha256] }));

/** Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009. */
const cifar10 = {
  name: "cifar10",
  title: "CIFAR-10",
  classes: cifarClasses,
  channels: 3,
  height: 32,
  width: 32,
  officialCounts: { train: 50_000, test: 10_000 },
  artifacts: [
    {
      packings: [
        {
          file: "cifar-10-binary.tar.gz",
          checksums: ["md5:c32a1d4ab5d03f1284b67883e8d87530"],
        },
        // A mirror's: the official training files and the first 1,000 test records.
        {
          file: "cifar-10-binary.tar.xz",
          checksums: ["sha256:e3ae9fef4e5f986762c80f9637847dde568b90dea7a52bcfac0b2f6635c7fafc"],
        },
      ],
      url: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
      maxBytes: 200_000_000,
      contents: [
        ...cifarTrainBatches,
        {
          name: "test_batch.bin",
          maxBytes: 30_730_000,
          // Of the first 1,000 records alone; the official archive vouches for its 10,000.
          sha256: ["8314c96d7cd65618193bab23acdd5d4c4af15bf6dd00a1781d55beedf3be1ef5"],
        },
      ],
    },
  ],
  decode: (content) => ({
    train: cifarImageSet(
      cifarTrainBatches.map(({ name }) => content(name)),
      cifarClasses,
    ),
    test: cifarImageSet([content("test_batch.bin")], cifarClasses),
  }),
} as const satisfies BuiltinDataset;

/** The data sets that `--data` knows by name. */
export const builtinDatasets = {
  "fashion-mnist": fashionMnist,
  cifar10,
} as const satisfies Record<string, BuiltinDataset>;

export type BuiltinDatasetName = keyof typeof builtinDatasets;
