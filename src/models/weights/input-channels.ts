import { ops, scope, type Tensor } from "../../tensor/index.ts";

/** What was done, in words. */
export interface Adapted {
  readonly tensor: Tensor;
  readonly how: string;
}

/**
 * The first convolution [O, I, K, K] for images of `channels`: colours are summed for grey ones; grey weights, or the
 * colours in turn, are repeated and scaled so that the sum stays what it was. Undefined from other than 1 or 3.
 * (timm 1.0, `adapt_input_conv`)
 */
export function adaptInputChannels(weight: Tensor, channels: number): Adapted | undefined {
  const given = weight.size(1);
  return scope(() => {
    // Half precision would lose bits in the sum.
    const float = ops.toDtype(weight, "float32");
    if (channels === 1) {
      return {
        tensor: ops.sumDim(float, { dim: 1, keepdim: true }),
        how: `${given} channels summed`,
      };
    }
    if (given !== 1 && given !== 3) return undefined;
    const times = Math.ceil(channels / given);
    const repeated = ops.slice(ops.repeat(float, [1, times, 1, 1]), { dim: 1, end: channels });
    return {
      tensor: ops.mul_Scalar(ops.clone(repeated), given / channels),
      how: `${given === 1 ? "the channel" : `${given} channels`} repeated, divided by ${channels / given}`,
    };
  });
}
