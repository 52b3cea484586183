import { noGrad, ops, scope, type Tensor } from "../tensor/index.ts";

/** Rows and columns of patches. */
export type Grid = readonly [number, number];

/**
 * Position embeddings [1, prefixTokens + rows·columns, width] of one grid of patches for another, by
 * antialiased bicubic interpolation in fp32; the prefix (the class token's) is kept, and so is the
 * dtype. timm's `resample_abs_pos_embed`. (Dosovitskiy et al. 2021, §3.2)
 * @returns a new tensor, even where the grids are equal.
 */
export function resamplePositionEmbedding(
  embedding: Tensor,
  options: { readonly from: Grid; readonly to: Grid; readonly prefixTokens: number },
): Tensor {
  const { from, to, prefixTokens } = options;
  const patches = from[0] * from[1];
  const [, tokens, width] = embedding.shape;
  if (embedding.shape.length !== 3 || tokens !== prefixTokens + patches || width === undefined) {
    throw new RangeError(
      `position embedding [${embedding.shape.join(", ")}] does not hold ${prefixTokens} + ${from.join("×")} tokens`,
    );
  }
  return noGrad(() =>
    scope(() => {
      if (from[0] === to[0] && from[1] === to[1]) return ops.clone(embedding);
      const prefix = ops.narrow(embedding, 1, 0, prefixTokens);
      const grid = ops.toDtype(ops.narrow(embedding, 1, prefixTokens, patches), "float32");
      const map = ops.permute(ops.reshape(grid, [1, ...from, width]), [0, 3, 1, 2]);
      const resized = ops.upsampleBicubic2dAa(ops.contiguous(map), to, false);
      const sequence = ops.reshape(ops.permute(resized, [0, 2, 3, 1]), [1, to[0] * to[1], width]);
      return ops.cat([prefix, ops.toDtype(sequence, embedding.dtype)], { dim: 1 });
    }),
  );
}

/** The square grid that so many patches fill, as published ViT checkpoints have; undefined for other counts. */
export function squareGrid(patches: number): Grid | undefined {
  const side = Math.round(Math.sqrt(patches));
  return side > 0 && side * side === patches ? [side, side] : undefined;
}
