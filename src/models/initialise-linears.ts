import { constant_, Linear, type Module, truncatedNormal_ } from "../nn/index.ts";
import type { Generator } from "../tensor/index.ts";

/** The deviation that timm starts a transformer's weights and embeddings from. */
export const INITIAL = { std: 0.02 } as const;

/** timm's `init_weights_vit_timm`: every linear layer inside, in order. */
export function initialiseLinears(module: Module, random: Generator): void {
  for (const [, layer] of module.namedModules()) {
    if (!(layer instanceof Linear)) continue;
    truncatedNormal_(layer.weight, random, INITIAL);
    if (layer.bias) constant_(layer.bias, 0);
  }
}
