import { createHash } from "node:crypto";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { ThawError } from "../errors.ts";
import {
  encodeSafetensors,
  readSafetensors,
  type Safetensors,
  type TensorData,
} from "../models/weights/safetensors.ts";
import { makeFolder, writeDurably } from "../platform/durable.ts";
import { reasonOf } from "../platform/system-error.ts";
import { removeAbandoned } from "../platform/temporary.ts";
import { runPlace } from "./run-place.ts";

/** What decides the bits of a step besides seed and data: a resumed run equals the whole one only where these are equal. */
export interface Fingerprint {
  /** Version and build of libtorch. */
  readonly libtorch: string;
  /** What its kernels were chosen for, e.g. `avx512` or `avx2`. */
  readonly instructionSet: string;
  readonly threads: number;
  readonly worldSize: number;
  /** Precision and device, as `bf16 on cpu`. */
  readonly compute: string;
}

/** Any JSON value. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };

export interface CheckpointInfo {
  /** Optimizer steps done. */
  readonly step: number;
  /** Epochs finished; within an epoch `samplePosition` says how far. */
  readonly epoch: number;
  /** Images of the running epoch's order that are done. */
  readonly samplePosition: number;
  readonly configDigest: string;
  readonly fingerprint: Fingerprint;
  /** Everything else that is no tensor: schedule, best values, generators' states. */
  readonly state: Json;
}

export interface Checkpoint extends CheckpointInfo {
  readonly path: string;
  readonly tensors: Map<string, TensorData>;
}

export interface Rejected {
  readonly file: string;
  readonly why: string;
}

const FORMAT = "1";
const NAME = /^step-(\d{9,})\.safetensors$/;

/**
 * Writes `step-<n>.safetensors` durably, then removes all others but the one before it. Files with a higher step belong
 * to a future that was abandoned when the run was resumed from an earlier one. `best.safetensors` is never touched.
 * Returns the path. A checkpoint that cannot be removed is only noted: the new one is saved.
 * @throws ThawError where the disk is full: the checkpoints written before are intact, the temp file is gone.
 */
export function saveCheckpoint(
  folder: string,
  info: CheckpointInfo,
  tensors: ReadonlyMap<string, TensorData>,
  onNote?: (text: string) => void,
): string {
  makeFolder(folder, runPlace);
  // The run's lock is held: whoever left them, nobody is writing them. On a full disk they are what stands in the way.
  removeAbandoned(folder, { isLocked: true });
  const path = join(folder, `step-${String(info.step).padStart(9, "0")}.safetensors`);
  const last = stepFiles(folder).at(-1);
  writeModelFile(
    path,
    tensors,
    {
      format: FORMAT,
      step: String(info.step),
      epoch: String(info.epoch),
      samplePosition: String(info.samplePosition),
      configDigest: info.configDigest,
      fingerprint: JSON.stringify(info.fingerprint),
      state: JSON.stringify(info.state),
    },
    last === undefined ? undefined : `The last good checkpoint, ${last.file}, is intact.`,
  );
  const earlier = stepFiles(folder).filter(({ step }) => step < info.step);
  const kept = new Set([info.step, earlier.at(-1)?.step]);
  for (const { file, step } of stepFiles(folder)) {
    if (!kept.has(step)) removeEarlier(join(folder, file), onNote);
  }
  return path;
}

function removeEarlier(path: string, onNote: ((text: string) => void) | undefined): void {
  try {
    rmSync(path);
  } catch (error) {
    onNote?.(`${path} is no longer needed but cannot be removed: ${reasonOf(error)}`);
  }
}

/**
 * Writes a plain model file, durably, with a checksum in its metadata (`best.safetensors`): other tools load it as any
 * safetensors file.
 */
export function saveModel(
  path: string,
  tensors: ReadonlyMap<string, TensorData>,
  metadata: Readonly<Record<string, string>>,
): void {
  makeFolder(dirname(path), runPlace);
  const intact = existsSync(path) ? "The one written before is intact." : undefined;
  writeModelFile(path, tensors, metadata, intact);
}

/** Reads a model file and holds it against its checksum, if it has one. @throws ThawError where they differ. */
export function loadModel(path: string): Safetensors {
  const file = readSafetensors(path);
  const { sha256, ...rest } = file.metadata;
  if (sha256 !== undefined && sha256 !== contentDigest(file.tensors, rest)) {
    throw new ThawError(`${path}: its content does not match its checksum`, {
      hint: "The file was damaged after it was written; use another checkpoint.",
    });
  }
  return file;
}

/** Reads and verifies a checkpoint. @throws ThawError where it is damaged, or a model file without training state. */
export function loadCheckpoint(path: string): Checkpoint {
  const { tensors, metadata } = loadModel(path);
  const { format, sha256, configDigest, fingerprint, state } = metadata;
  if (format !== FORMAT || sha256 === undefined || configDigest === undefined) {
    throw new ThawError(`${path}: not a checkpoint to resume from`, {
      hint: "A model file such as best.safetensors has no optimizer state; name the run instead.",
    });
  }
  const count = (key: string): number => {
    const value = Number(metadata[key]);
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new ThawError(`${path}: ${key} is ${JSON.stringify(metadata[key])}, not a count`);
    }
    return value;
  };
  return {
    path,
    tensors,
    step: count("step"),
    epoch: count("epoch"),
    samplePosition: count("samplePosition"),
    configDigest,
    fingerprint: JSON.parse(fingerprint ?? "null") as Fingerprint,
    state: JSON.parse(state ?? "null") as Json,
  };
}

/**
 * The checkpoint with the most steps whose content matches its checksum, and those that were passed over for it. No
 * pointer file is trusted. `checkpoint` is undefined where none verifies.
 */
export function newestVerified(folder: string): {
  readonly checkpoint: Checkpoint | undefined;
  readonly rejected: readonly Rejected[];
} {
  const rejected: Rejected[] = [];
  for (const { file } of existsSync(folder) ? stepFiles(folder).reverse() : []) {
    try {
      return { checkpoint: loadCheckpoint(join(folder, file)), rejected };
    } catch (error) {
      if (!(error instanceof ThawError)) throw error;
      rejected.push({ file, why: error.message });
    }
  }
  return { checkpoint: undefined, rejected };
}

/** Path of the checkpoint with the most steps, whole or not; undefined where there is none. */
export function newestCheckpoint(folder: string): string | undefined {
  const newest = existsSync(folder) ? stepFiles(folder).at(-1) : undefined;
  return newest && join(folder, newest.file);
}

/** What differs, in words: `threads: 2 when saved, 4 now`. Empty where the same bits are to be expected. */
export function fingerprintDifferences(saved: Fingerprint, now: Fingerprint): string[] {
  const keys = ["libtorch", "instructionSet", "threads", "worldSize", "compute"] as const;
  return keys
    .filter((key) => saved[key] !== now[key])
    .map((key) => `${key}: ${saved[key]} when saved, ${now[key]} now`);
}

/**
 * SHA-256 over the content, whatever the file's layout: the other metadata as sorted JSON pairs, then for every tensor in
 * the order of names a JSON line [name, dtype, shape] and its bytes. A file rewritten by another library still verifies.
 */
export function contentDigest(
  tensors: ReadonlyMap<string, TensorData>,
  metadata: Readonly<Record<string, string>>,
): string {
  const hash = createHash("sha256");
  const pairs = Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1));
  hash.update(`${JSON.stringify(pairs)}\n`);
  for (const name of [...tensors.keys()].sort()) {
    const { dtype, shape, bytes } = tensors.get(name)!;
    // The line fixes the number of bytes that follow, so that two tensors cannot be read as one.
    hash.update(`${JSON.stringify([name, dtype, shape])}\n`);
    hash.update(bytes);
  }
  return hash.digest("hex");
}

function writeModelFile(
  path: string,
  tensors: ReadonlyMap<string, TensorData>,
  metadata: Readonly<Record<string, string>>,
  intact: string | undefined,
): void {
  const sha256 = contentDigest(tensors, metadata);
  const { chunks } = encodeSafetensors(tensors, { ...metadata, sha256 });
  writeDurably(path, chunks, { ...runPlace, intact });
}

/** The numbered checkpoints, fewest steps first. */
function stepFiles(folder: string): { readonly file: string; readonly step: number }[] {
  return readdirSync(folder)
    .flatMap((file) => {
      const match = NAME.exec(file);
      return match === null ? [] : [{ file, step: Number(match[1]) }];
    })
    .sort((a, b) => a.step - b.step);
}
