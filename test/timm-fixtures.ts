import { readFileSync } from "node:fs";
import type { InitTensor, ModelFixture } from "./torch-fixtures.ts";

/** The numbers timm gave, as test/oracle/timm_*.py wrote them; its docstrings say what they mean. */
interface TimmFixtures {
  readonly convnext_tiny: ModelFixture;
  readonly counts: CountsFixture;
  readonly deit_tiny_patch16_224: ModelFixture;
  readonly efficientnet_b0: ModelFixture;
  readonly efficientnet_lite0: ModelFixture;
  readonly mobilenetv3_large_100: ModelFixture;
  readonly mobilenetv3_small_100: ModelFixture;
  readonly mixup: MixupFixture;
  readonly swin_tiny_patch4_window7_224: ModelFixture;
  readonly tf_efficientnet_b0: ModelFixture;
  readonly tf_efficientnet_lite0: ModelFixture;
  readonly tf_mobilenetv3_large_075: ModelFixture;
  readonly tf_mobilenetv3_small_minimal_100: ModelFixture;
  readonly transfer: TransferFixture;
  readonly vit_pieces: VitPieces;
  readonly vit_small_patch32_224: ModelFixture;
  readonly vit_tiny_patch16_224: ModelFixture;
}

/** timm's Mixup on a batch, and what it draws. */
export interface MixupFixture {
  readonly shape: readonly number[];
  readonly images: readonly number[];
  readonly labels: readonly number[];
  readonly logits: readonly number[];
  readonly cases: readonly {
    readonly kind: "mixup" | "cutmix";
    readonly lambda: number;
    readonly box: readonly [top: number, bottom: number, left: number, right: number] | null;
    readonly smoothing: number;
    readonly images: readonly number[];
    readonly loss: number;
    /** [N, classes] */
    readonly gradient: readonly number[];
  }[];
  readonly draws: readonly {
    readonly mixup: number;
    readonly cutmix: number;
    readonly size: readonly [height: number, width: number];
    /** Of CutMix. */
    readonly share: number;
    readonly mean: number;
    readonly std: number;
    readonly box?: { readonly mean: readonly number[]; readonly std: readonly number[] };
  }[];
}

/** Epochs of fine-tuning; timm_transfer.py's docstring says what of. */
export interface TransferFixture {
  readonly classes: number;
  readonly count: number;
  readonly batch: number;
  readonly emaDecay: number;
  readonly models: Readonly<
    Record<
      string,
      {
        readonly size: number;
        /** Keys of the training config. */
        readonly optimizer: Readonly<Record<string, unknown>>;
        readonly cases: Readonly<Record<string, TransferCase>>;
      }
    >
  >;
}

export interface TransferCase {
  /** Keys of the training config. */
  readonly config: { readonly strategy: string; readonly epochs: number };
  readonly losses: readonly number[];
  readonly evalLoss: number;
  readonly emaLoss?: number;
  readonly emaTracked?: number;
}

export interface CountsFixture {
  readonly models: Readonly<
    Record<
      string,
      {
        /** By the number of classes. */
        readonly parameters: Readonly<Record<"10" | "1000", number>>;
        /** Of a line a tensor, `<key> <sizes joined by x>`, with 10 classes. */
        readonly stateDictSha256: string;
      }
    >
  >;
}

/** What timm's transformers rest on: initialisation, resampled position embeddings, transformers' layout. */
export interface VitPieces {
  /** Of a model of four classes and 32 pixels, from seed 42. */
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

export function readTimmFixture<Name extends keyof TimmFixtures>(name: Name): TimmFixtures[Name] {
  return JSON.parse(readFileSync(new URL(`fixtures/timm/${name}.json`, import.meta.url), "utf8"));
}
