import { readFileSync } from "node:fs";
import type { ModelFixture } from "./torch-fixtures.ts";

/** The numbers timm gave, as test/oracle/timm_*.py wrote them; its docstrings say what they mean. */
interface TimmFixtures {
  readonly counts: CountsFixture;
  readonly convnext_tiny: ModelFixture;
  readonly efficientnet_b0: ModelFixture;
  readonly efficientnet_lite0: ModelFixture;
  readonly mobilenetv3_large_100: ModelFixture;
  readonly mobilenetv3_small_100: ModelFixture;
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

export function readTimmFixture<Name extends keyof TimmFixtures>(name: Name): TimmFixtures[Name] {
  return JSON.parse(readFileSync(new URL(`fixtures/timm/${name}.json`, import.meta.url), "utf8"));
}
