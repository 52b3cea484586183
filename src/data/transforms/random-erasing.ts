import { ops, scope, Tensor } from "../../tensor/index.ts";
import { normal, type RandomStream } from "../random.ts";
import { type Crop, roundHalfEven } from "./crops.ts";

/** `RandomErasing` of torchvision, with its default scale (0.02, 0.33) and ratio (0.3, 3.3). */
export interface RandomErasing {
  /** Probability that an image loses a rectangle. */
  readonly p: number;
  /** What stands there, of normalised values: `const` is 0, `pixel` a normal draw for each value. */
  readonly value: "const" | "pixel";
  /** Share of the image's area, from and to. */
  readonly scale?: readonly [number, number];
  /** Height ÷ width, from and to. */
  readonly ratio?: readonly [number, number];
}

/** torchvision's `RandomErasing.get_params`: ten attempts; undefined where nothing is erased. */
export function randomErasing(
  { p, scale = [0.02, 0.33], ratio = [0.3, 3.3] }: RandomErasing,
  { height, width }: { readonly height: number; readonly width: number },
  random: RandomStream,
): Crop | undefined {
  if (random.uniform() >= p) return undefined;
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = height * width * random.uniform(scale[0], scale[1]);
    const aspect = Math.exp(random.uniform(Math.log(ratio[0]), Math.log(ratio[1])));
    const h = roundHalfEven(Math.sqrt(area * aspect));
    const w = roundHalfEven(Math.sqrt(area / aspect));
    if (h >= height || w >= width) continue;
    return {
      top: random.int(0, height - h + 1),
      left: random.int(0, width - w + 1),
      height: h,
      width: w,
    };
  }
  return undefined;
}

/** Erases of normalised images [N, C, H, W], in place. */
export function eraseRandomly(
  images: Tensor,
  erasing: RandomErasing,
  randomOf: (image: number) => RandomStream,
): void {
  const [n, channels, height, width] = images.shape as [number, number, number, number];
  scope(() => {
    for (let i = 0; i < n; i++) {
      const random = randomOf(i);
      const part = randomErasing(erasing, { height, width }, random);
      if (part === undefined) continue;
      const rows = ops.narrow(ops.select(images, 0, i), 1, part.top, part.height);
      const erased = ops.narrow(rows, 2, part.left, part.width);
      if (erasing.value === "const") {
        ops.zero_(erased);
        continue;
      }
      const shape = [channels, part.height, part.width];
      const values = Float32Array.from({ length: channels * part.height * part.width }, () =>
        normal(random),
      );
      ops.copy_(erased, Tensor.from(values, shape));
    }
  });
}
