import { availableParallelism } from "node:os";
import type { InferenceSession } from "onnxruntime-node";
import { ThawError } from "../errors.ts";

/** A batch as ONNX Runtime takes it, and what it answers. */
export interface OrtArray {
  readonly data: Float32Array | Uint8Array;
  readonly shape: readonly number[];
}

/** What a graph declares of an input or output; a size by name is free. */
export interface Declared {
  readonly type: string;
  readonly shape: readonly (number | string)[];
}

export interface SessionOptions {
  readonly threads?: number;
}

/** An ONNX file in ONNX Runtime on the CPU. */
export class OnnxSession implements AsyncDisposable {
  readonly #session: InferenceSession;
  readonly #tensor: typeof import("onnxruntime-node").Tensor;

  private constructor(session: InferenceSession, tensor: typeof import("onnxruntime-node").Tensor) {
    this.#session = session;
    this.#tensor = tensor;
  }

  /** By path or of the file's bytes. @throws ThawError with ONNX Runtime's message where it refuses it. */
  static async open(
    model: string | Uint8Array,
    options: SessionOptions = {},
  ): Promise<OnnxSession> {
    const { InferenceSession, Tensor } = await import("onnxruntime-node");
    const settings: InferenceSession.SessionOptions = {
      intraOpNumThreads: options.threads ?? availableParallelism(),
      executionProviders: ["cpu"],
      // Errors alone: its warnings are about its own optimizations.
      logSeverityLevel: 3,
    };
    try {
      const session =
        typeof model === "string"
          ? await InferenceSession.create(model, settings)
          : await InferenceSession.create(model, settings);
      return new OnnxSession(session, Tensor);
    } catch (cause) {
      const name = typeof model === "string" ? model : "the model";
      throw new ThawError(`${name}: ONNX Runtime refuses it: ${(cause as Error).message}`, {
        cause,
      });
    }
  }

  get inputNames(): readonly string[] {
    return this.#session.inputNames;
  }

  get inputs(): readonly Declared[] {
    return this.#session.inputMetadata.map(declared);
  }

  get outputs(): readonly Declared[] {
    return this.#session.outputMetadata.map(declared);
  }

  /** Images at a time, where the file takes no other number. */
  get batch(): number | undefined {
    const size = this.inputs[0]?.shape[0];
    return typeof size === "number" && size > 0 ? size : undefined;
  }

  get outputNames(): readonly string[] {
    return this.#session.outputNames;
  }

  /** All outputs for one input, the first. @throws ThawError with ONNX Runtime's message where it fails. */
  async run({ data, shape }: OrtArray): Promise<Map<string, OrtArray>> {
    const results = await this.#results({ data, shape });
    return new Map(
      Object.entries(results).map(([name, { data: values, dims }]) => [
        name,
        { data: values as Float32Array, shape: dims },
      ]),
    );
  }

  async #results({ data, shape }: OrtArray): Promise<InferenceSession.ReturnType> {
    try {
      const tensor =
        data instanceof Uint8Array
          ? new this.#tensor("uint8", data, shape)
          : new this.#tensor("float32", data, shape);
      return await this.#session.run({ [this.#session.inputNames[0]!]: tensor });
    } catch (cause) {
      throw new ThawError(
        `ONNX Runtime fails on an input of [${shape.join(", ")}]: ${(cause as Error).message}`,
        { cause },
      );
    }
  }

  /** The first output. */
  async first(input: OrtArray): Promise<OrtArray> {
    return (await this.run(input)).get(this.outputNames[0]!)!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session.release();
  }
}

function declared(value: InferenceSession.ValueMetadata): Declared {
  return value.isTensor ? value : { type: "no tensor", shape: [] };
}
