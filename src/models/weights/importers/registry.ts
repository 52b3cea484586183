import type { Importer } from "../importer.ts";
import { efficientnetPytorch } from "./efficientnet-pytorch.ts";
import { huggingFaceViT } from "./hugging-face-vit.ts";
import { torchvisionConvnext } from "./torchvision-convnext.ts";
import { torchvisionEfficientnet, torchvisionMobilenet } from "./torchvision-inverted.ts";
import { torchvisionSwin } from "./torchvision-swin.ts";
import { torchvisionVit } from "./torchvision-vit.ts";

/** Every layout that is not timm's own. torchvision's ResNets have timm's names already. */
export const importers: readonly Importer[] = [
  huggingFaceViT,
  torchvisionVit,
  torchvisionConvnext,
  torchvisionEfficientnet,
  torchvisionMobilenet,
  torchvisionSwin,
  efficientnetPytorch,
];
