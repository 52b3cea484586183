import { readFileSync } from "node:fs";
import type { InitTensor, ModelFixture } from "./torch-fixtures.ts";

/** What timm's transformers rest on; test/oracle/timm_vit.py says what the fields mean. */
export interface VitPieces {
  readonly init: Readonly<Record<string, Readonly<Record<string, InitTensor>>>>;
  readonly positions: readonly {
    readonly from: readonly [number, number];
    readonly to: readonly [number, number];
    readonly width: number;
    readonly values: readonly number[];
  }[];
  readonly huggingFace: {
    readonly inputShape: readonly number[];
    readonly stateDict: Readonly<Record<string, readonly number[]>>;
    readonly logits: readonly number[];
  };
}

/** A model's numbers as timm gave them, by timm's name. */
export const readTimmModel = (name: string): ModelFixture => read(name) as ModelFixture;
export const readVitPieces = (): VitPieces => read("vit_pieces") as VitPieces;

function read(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`fixtures/timm/${name}.json`, import.meta.url), "utf8"));
}
