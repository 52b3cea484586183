import { ThawError } from "../../errors.ts";
import type { ExportMetadata } from "../metadata.ts";
import type { OnnxSession } from "../session.ts";

/**
 * Does a file's graph take and give what the file says of itself? Who is to make pictures for it must know before.
 * @throws ThawError that names what is otherwise.
 */
export function checkGraph(
  path: string,
  { inputs, outputs }: Pick<OnnxSession, "inputs" | "outputs">,
  { takes, input: { channels, height, width } }: Pick<ExportMetadata, "takes" | "input">,
): void {
  const free = { pictures: true, pixels: false, normalised: false }[takes];
  const size = free ? (["height", "width"] as const) : ([height, width] as const);
  const type = takes === "normalised" ? "float32" : "uint8";
  const shape = takes === "normalised" ? [channels, ...size] : [...size, channels];
  const refuse = (what: string): ThawError =>
    new ThawError(`${path}: its graph is not what the file says of itself: ${what}`, {
      hint: "the file was changed or is damaged: export the run again",
    });
  const [taken, ...others] = inputs;
  if (taken === undefined || others.length > 0) throw refuse(`it takes ${inputs.length} inputs`);
  const [batch, ...image] = taken.shape;
  const isSame =
    taken.type === type &&
    image.length === shape.length &&
    shape.every((side, i) => isFree(image[i]!) || image[i] === side);
  if (!isSame) {
    throw refuse(`it takes ${said(taken)}, and not ${said({ type, shape: ["batch", ...shape] })}`);
  }
  if (batch !== 1 && !isFree(batch!)) throw refuse(`it takes ${batch} images at a time`);
  const [given] = outputs;
  if (given?.type !== "float32") {
    throw refuse(`it gives ${given === undefined ? "nothing" : said(given)}, and not float32`);
  }
}

const isFree = (side: number | string): boolean => typeof side === "string" || side < 1;

const said = ({ type, shape }: OnnxSession["inputs"][number]): string =>
  `${type} [${shape.join(", ")}]`;
