import { normalizePacked } from "../../data/transforms/normalize.ts";
import { ops, scope, Tensor } from "../../tensor/index.ts";
import { type ExportMetadata, readMetadata } from "../metadata.ts";
import { OnnxSession } from "../session.ts";
import type { Subject } from "../subject.ts";

/** A model that is asked about pictures. */
export interface Predictor extends AsyncDisposable {
  readonly metadata: Pick<ExportMetadata, "classes" | "input">;
  /** uint8 [n, H, W, C] → probabilities [n, classes]. */
  ask(pixels: Uint8Array, count: number): Promise<Float32Array>;
}

/** An exported file. @throws ThawError for a file that is none. */
export async function openFile(path: string): Promise<Predictor> {
  const metadata = readMetadata(path);
  const session = await OnnxSession.open(path);
  const { input, takes } = metadata;
  const shape = [input.height, input.width, input.channels];
  return {
    metadata,
    async ask(pixels, count) {
      const feed =
        takes === "pixels"
          ? { data: pixels, shape: [count, ...shape] }
          : normalised(pixels, count, input);
      const { data } = await session.first(feed);
      return probabilities(Float32Array.from(data), metadata);
    },
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}

/** A run's own model, which is disposed with it. */
export function ofSubject(subject: Subject): Predictor {
  const { input } = subject.metadata;
  return {
    metadata: subject.metadata,
    async ask(pixels, count) {
      const { data, shape } = normalised(pixels, count, input);
      const said = scope(() => subject.answer(Tensor.borrow(data, shape)));
      return probabilities(said, subject.metadata);
    },
    async [Symbol.asyncDispose]() {
      subject[Symbol.dispose]();
    },
  };
}

/** uint8 [n, H, W, C] → float32 [n, C, H, W]. */
function normalised(pixels: Uint8Array, count: number, input: ExportMetadata["input"]) {
  const { height, width, channels } = input;
  return scope(() => {
    const packed = Tensor.borrow(pixels, [count, height, width, channels]);
    const images = ops.contiguous(normalizePacked(packed, input));
    return { data: images.toArray("float32"), shape: images.shape };
  });
}

/** [n, classes] of logits or of probabilities. */
function probabilities(
  said: Float32Array,
  { gives, classes }: Pick<ExportMetadata, "gives" | "classes">,
): Float32Array {
  if (gives === "probabilities") return said;
  return scope(() =>
    ops
      .softmax(Tensor.borrow(said, [said.length / classes.length, classes.length]), 1)
      .toArray("float32"),
  );
}
