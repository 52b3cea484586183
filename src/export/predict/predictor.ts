import { normalizePacked } from "../../data/transforms/normalize.ts";
import { ThawError } from "../../errors.ts";
import { ops, scope, Tensor } from "../../tensor/index.ts";
import { type ExportMetadata, readMetadata } from "../metadata.ts";
import { OnnxSession } from "../session.ts";
import type { Subject } from "../subject.ts";
import { checkGraph } from "./check-graph.ts";

/** A model that is asked about pictures. */
export interface Predictor extends AsyncDisposable {
  readonly metadata: Pick<ExportMetadata, "classes" | "input">;
  /** Does it bring pictures to its size itself? They are then given one by one, as they are. */
  readonly resizes: boolean;
  /** Pictures at a time, at most; absent: any number. */
  readonly most?: number | undefined;
  /** uint8 [n, H, W, C] → probabilities [n, classes]. */
  ask(pixels: Uint8Array, shape: readonly number[]): Promise<Float32Array>;
}

/** An exported file. @throws ThawError for a file that is none, or is not what it says of itself. */
export async function openFile(path: string): Promise<Predictor> {
  const metadata = readMetadata(path);
  const session = await OnnxSession.open(path);
  try {
    checkGraph(path, session, metadata);
  } catch (error) {
    await session[Symbol.asyncDispose]();
    throw error;
  }
  const { input, takes } = metadata;
  const resizes = takes === "pictures";
  return {
    metadata,
    resizes,
    most: resizes ? 1 : session.batch,
    async ask(pixels, shape) {
      const feed =
        takes === "normalised"
          ? scope(() => {
              const images = ops.contiguous(normalised(pixels, shape, input));
              return { data: images.toArray("float32"), shape: images.shape };
            })
          : { data: pixels, shape };
      const { data } = await session.first(feed);
      const [count = 0] = shape;
      if (data.length !== count * metadata.classes.length) {
        throw new ThawError(
          `${path}: ${data.length} numbers for ${count} images, where it names ${metadata.classes.length} classes`,
          { hint: "the file is damaged: export the run again" },
        );
      }
      return probabilities(Float32Array.from(data), metadata);
    },
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}

/** A run's own model, which is disposed with it. */
export function ofSubject(
  subject: Pick<Subject, "metadata" | "answer" | typeof Symbol.dispose>,
): Predictor {
  const { metadata } = subject;
  return {
    metadata,
    resizes: false,
    async ask(pixels, shape) {
      const said = scope(() => subject.answer(normalised(pixels, shape, metadata.input)));
      return probabilities(said, metadata);
    },
    async [Symbol.asyncDispose]() {
      subject[Symbol.dispose]();
    },
  };
}

/** uint8 [n, H, W, C] → float32 [n, C, H, W]. */
function normalised(
  pixels: Uint8Array,
  shape: readonly number[],
  input: ExportMetadata["input"],
): Tensor {
  return normalizePacked(Tensor.borrow(pixels, shape), input);
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
