import { freemem } from "node:os";
import type { FileImageSet } from "../fileset.ts";
import type { ImageFit } from "./fit.ts";
import { type KeptSpec, KeptStore, keptStore } from "./kept-store.ts";
import {
  newStore,
  type PictureStore,
  PixelStore,
  removeStore,
  type StoreSpec,
} from "./pixel-store.ts";
import { storePlan } from "./store-plan.ts";

/** Where a loader's decoded pictures are kept: plain data, so that it can be sent to a worker. */
export type AnyStore = StoreSpec | KeptSpec;

/**
 * Room for a set's pictures: of finished ones a file that later runs find, or memory where there can be
 * no such file; undefined where nothing is to be kept or nothing can be.
 */
export function storeFor(
  set: FileImageSet,
  fit: ImageFit,
  { keepIn, onNote }: { readonly keepIn?: string; onNote?: ((text: string) => void) | undefined },
): AnyStore | undefined {
  if (keepIn === undefined) return undefined;
  const plan = storePlan(set, fit, keepIn, freemem());
  if (fit.crop.kind === "random") return newStore(set.count, plan.bytes, plan.file);
  const kept = keptStore(set, fit, { folder: keepIn, onNote });
  if (kept !== undefined || plan.file !== undefined) return kept;
  return newStore(set.count, plan.bytes);
}

export function openStore(spec: AnyStore): PictureStore {
  return isKept(spec) ? new KeptStore(spec) : new PixelStore(spec);
}

/** Ends a run's own store; kept pictures stay. Threads must have closed theirs. */
export function closeStore(spec: AnyStore): void {
  if (!isKept(spec)) removeStore(spec);
}

function isKept(spec: AnyStore): spec is KeptSpec {
  return spec.place.kind === "kept";
}
