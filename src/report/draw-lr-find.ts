import { basename, join } from "node:path";
import type { LrFind } from "../run/lr-find.ts";
import { lrCurve } from "./plots/lr-curve.ts";
import { writePlot } from "./plots/render.ts";

/** Draws a range test into `lr-find.svg|png` of its folder; returns the PNG's path. */
export async function drawLrFind(dir: string, found: LrFind): Promise<string> {
  const name = basename(dir).replace(/-[0-9a-f]{8}$/, "");
  await writePlot(lrCurve(name, found), join(dir, "lr-find"));
  return join(dir, "lr-find.png");
}
