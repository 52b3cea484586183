import type { Compute } from "../models/predict.ts";
import { type Device, type DType, Generator, inference, ops, scope } from "../tensor/index.ts";
import { median } from "./spread.ts";

const SIDE = 1536;
const ROUNDS = 5;

/**
 * GFLOP/s of a product of two square matrices, in fp32 and in the precision that is used: what the machine gives a
 * network at most. The median of some rounds.
 */
export function measureGemm(
  { device, autocast }: Compute,
  { side = SIDE, rounds = ROUNDS } = {},
): { fp32: number; used: number } {
  const fp32 = gemm("float32", device, side, rounds);
  return { fp32, used: autocast === null ? fp32 : gemm(autocast, device, side, rounds) };
}

function gemm(dtype: DType, device: Device, side: number, rounds: number): number {
  using generator = new Generator(0);
  const seconds = inference(() =>
    scope(() => {
      const drawn = ops.randn([side, side], { generator });
      const a = ops.toCopy(drawn, { dtype, device });
      const times: number[] = [];
      // The first pays for what is kept afterwards.
      for (let i = 0; i <= rounds; i++) {
        const began = performance.now();
        scope(() => {
          const product = ops.mm(a, a);
          // A GPU's work is done when a number of it is read.
          if (device !== "cpu") ops.sum(product).item();
        });
        times.push((performance.now() - began) / 1000);
      }
      return times.slice(1);
    }),
  );
  return (2 * side ** 3) / median(seconds) / 1e9;
}
