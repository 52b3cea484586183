import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { posix } from "node:path";
import { archiveEntries } from "../formats/archive.ts";
import { DamagedFileError } from "../formats/damaged.ts";
import { gunzipBounded, isGzip } from "../formats/gzip.ts";
import type { Artifact, Checksum, Content, NamedBytes, Packing } from "./registry.ts";

/** The contents of an artifact, each found good, by name. */
export type Contents = ReadonlyMap<string, NamedBytes>;

/** Room for readme files and the like that an archive holds beside its contents. */
const EXTRA_BYTES = 64 * 2 ** 20;

/**
 * Unpacks the file at `path` and checks every content: by its own sha256, else by the checksum of
 * the packed file. `onBytes` hears how much has been unpacked.
 * @throws DamagedFileError that names the file, the checksums wanted and those found.
 */
export async function unpackVerified(
  path: string,
  packing: Packing,
  artifact: Artifact,
  onBytes?: (unpacked: number, total: number) => void,
): Promise<Contents> {
  const packedBytes = (await stat(path)).size;
  if (packedBytes > artifact.maxBytes) {
    throw new DamagedFileError(
      `${path}: ${packedBytes} bytes, a good copy has at most ${artifact.maxBytes}`,
    );
  }
  let contents: Map<string, NamedBytes>;
  try {
    contents = isTar(packing.file)
      ? await readMembers(path, artifact.contents, onBytes)
      : await readSingle(path, artifact.contents);
  } catch (cause) {
    if (!(cause instanceof DamagedFileError)) throw cause;
    throw new DamagedFileError(
      `${cause.message}: it is damaged or cut off\n  ${await packedChecksums(path, packing)}`,
      { cause },
    );
  }
  const doubts = artifact.contents.flatMap(({ name, sha256 }) => {
    const found = createHash("sha256").update(contents.get(name)!.bytes).digest("hex");
    return sha256.includes(found)
      ? []
      : [`${name}: expected sha256 ${sha256.join(" or ")}, found ${found}`];
  });
  if (doubts.length > 0 && !(await hasKnownChecksum(path, packing))) {
    throw new DamagedFileError(
      [
        `${path} is damaged, or not the file that is meant`,
        ...doubts,
        await packedChecksums(path, packing),
      ].join("\n  "),
    );
  }
  return contents;
}

function isTar(file: string): boolean {
  return /\.(tar(\.[a-z0-9]+)?|tgz|txz)$/.test(file);
}

/** A file that is itself the one content, perhaps gzipped. */
async function readSingle(
  path: string,
  [content]: readonly Content[],
): Promise<Map<string, NamedBytes>> {
  if (content === undefined) return new Map();
  const packed = await readFile(path);
  const bytes = isGzip(packed) ? await gunzipBounded(packed, content.maxBytes, path) : packed;
  return new Map([[content.name, { bytes, where: path }]]);
}

async function readMembers(
  path: string,
  wanted: readonly Content[],
  onBytes?: (unpacked: number, total: number) => void,
): Promise<Map<string, NamedBytes>> {
  const total = wanted.reduce((sum, { maxBytes }) => sum + maxBytes, 0);
  const found = new Map<string, NamedBytes>();
  const entries = archiveEntries(path, {
    wanted: (entry) => wanted.some(({ name }) => name === posix.basename(entry)),
    limits: {
      maxTotalBytes: total + EXTRA_BYTES,
      maxEntryBytes: Math.max(...wanted.map(({ maxBytes }) => maxBytes)),
      maxEntries: 10_000,
    },
    onBytes: (unpacked) => onBytes?.(Math.min(unpacked, total), total),
  });
  for await (const { path: entry, bytes } of entries) {
    const name = posix.basename(entry);
    if (found.has(name)) throw new DamagedFileError(`${path}: holds ${name} twice`);
    found.set(name, { bytes, where: `${path}: ${name}` });
  }
  const missing = wanted.filter(({ name }) => !found.has(name)).map(({ name }) => name);
  if (missing.length > 0) throw new DamagedFileError(`${path}: ${missing.join(", ")} not in it`);
  return found;
}

/**
 * The sha256 of a packed file that must be one of those known.
 * @throws DamagedFileError with the checksums wanted and found.
 */
export async function verifyPacked(path: string, packing: Packing): Promise<string> {
  const found = await fileChecksum(path, "sha256");
  if (packing.checksums.includes(found)) return found.slice("sha256:".length);
  throw new DamagedFileError(
    `${path} is damaged, or not the file that is meant\n  ${await packedChecksums(path, packing)}`,
  );
}

async function hasKnownChecksum(path: string, packing: Packing): Promise<boolean> {
  for (const checksum of packing.checksums) {
    if ((await fileChecksum(path, algorithmOf(checksum))) === checksum) return true;
  }
  return false;
}

/** "packed file: expected md5 …, found md5 …" */
async function packedChecksums(path: string, packing: Packing): Promise<string> {
  const algorithm = algorithmOf(packing.checksums[0] ?? "sha256:");
  const expected = packing.checksums.map(spoken).join(" or ") || "unknown";
  const found = spoken(await fileChecksum(path, algorithm));
  return `packed file: expected ${expected}, found ${found}`;
}

function spoken(checksum: Checksum): string {
  return checksum.replace(":", " ");
}

function algorithmOf(checksum: Checksum): "md5" | "sha256" {
  return checksum.startsWith("md5:") ? "md5" : "sha256";
}

async function fileChecksum(path: string, algorithm: "md5" | "sha256"): Promise<Checksum> {
  const hash = createHash(algorithm);
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    hash.update(chunk as Buffer);
  }
  return `${algorithm}:${hash.digest("hex")}`;
}

/** 64 hexadecimal digits, read in pieces. */
export async function fileSha256(path: string): Promise<string> {
  return (await fileChecksum(path, "sha256")).slice("sha256:".length);
}
