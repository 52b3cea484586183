import { type Falling, falling, type Schedule } from "./schedule.ts";

/** Warm-up, then half a cosine down to `minFactor` (timm's `cosine` with `warmup_prefix`; torch's CosineAnnealingLR). */
export function cosine(options: Falling): Schedule {
  return falling(options, (progress) => (1 + Math.cos(Math.PI * progress)) / 2);
}
