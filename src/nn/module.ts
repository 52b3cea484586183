import { ThawError } from "../errors.ts";
import {
  bytesPerElement,
  type Device,
  inMemoryFormat,
  type MemoryFormat,
  noGrad,
  ops,
  Tensor,
  unscoped,
} from "../tensor/index.ts";

/** A trained tensor: a leaf of the autograd graph, born outside all scopes. */
export class Parameter extends Tensor {
  /** Uses up `value`. */
  constructor(value: Tensor) {
    super(value.release());
    this.requiresGrad = true;
  }

  /** Becomes `value`, which is used up, and stays what it was for autograd. */
  replace(value: Tensor): void {
    const requiresGrad = this.requiresGrad;
    this.become(value);
    this.requiresGrad = requiresGrad;
  }
}

/** A tensor that is saved with the module and not trained, as BatchNorm's running statistics. */
export class Buffer extends Tensor {
  constructor(value: Tensor) {
    super(value.release());
  }

  replace(value: Tensor): void {
    this.become(value);
  }
}

/** Makes a parameter or buffer that no scope frees, whatever scope its module is built in. */
export const lasting = unscoped;

/**
 * A layer or network. Its property names are its checkpoint keys: parameters, buffers and modules
 * are found among its own properties, in the order in which they were assigned, as in PyTorch.
 */
export abstract class Module implements Disposable {
  training = true;
  /** Stays in evaluation mode whatever `train` says: a frozen batch norm keeps its statistics. */
  frozen = false;

  abstract forward(x: Tensor): Tensor;

  /** The modules directly inside, by property name. */
  children(): [string, Module][] {
    return Object.entries(this).filter(
      (entry): entry is [string, Module] => entry[1] instanceof Module,
    );
  }

  /** Itself ("") and all modules inside, parents first. */
  namedModules(prefix = ""): [string, Module][] {
    return [
      [prefix, this],
      ...this.children().flatMap(([name, child]) => child.namedModules(join(prefix, name))),
    ];
  }

  namedParameters(): [string, Parameter][] {
    return this.#collect((value) => value instanceof Parameter);
  }

  namedBuffers(): [string, Buffer][] {
    return this.#collect((value) => value instanceof Buffer);
  }

  parameters(): Parameter[] {
    return this.namedParameters().map(([, parameter]) => parameter);
  }

  /** Parameters and buffers in PyTorch's order: a module's parameters, its buffers, its children. */
  stateDict(): Map<string, Parameter | Buffer> {
    const entries = this.namedModules().flatMap(([prefix, module]) => {
      const own = Object.entries(module);
      return [
        ...own.filter(([, value]) => value instanceof Parameter),
        ...own.filter(([, value]) => value instanceof Buffer),
      ].map(([name, value]): [string, Parameter | Buffer] => [join(prefix, name), value]);
    });
    return new Map(entries);
  }

  /**
   * Copies values into the parameters and buffers, converting their dtype.
   * @throws ThawError that lists every key missing, left over or of another shape; nothing is copied.
   */
  loadStateDict(values: ReadonlyMap<string, Tensor>): void {
    const own = this.stateDict();
    const problems = [
      ...[...own.keys()].filter((key) => !values.has(key)).map((key) => `${key}: missing`),
      ...[...values.keys()].filter((key) => !own.has(key)).map((key) => `${key}: not in the model`),
      ...[...own].flatMap(([key, target]) => {
        const shape = values.get(key)?.shape;
        return shape === undefined || sameShape(shape, target.shape)
          ? []
          : [
              `${key}: the values have [${shape.join(", ")}], the model wants [${target.shape.join(", ")}]`,
            ];
      }),
    ];
    if (problems.length > 0) {
      const shown = problems.slice(0, 8).join("\n  ");
      const rest = problems.length > 8 ? `\n  and ${problems.length - 8} more` : "";
      throw new ThawError(`the weights do not fit the model:\n  ${shown}${rest}`);
    }
    noGrad(() => {
      for (const [key, target] of own) ops.copy_(target, values.get(key)!);
    });
  }

  /** Training mode (batch statistics, dropout) for this module and all inside that are not frozen. */
  train(training = true): this {
    for (const [, module] of this.namedModules()) module.training = training && !module.frozen;
    return this;
  }

  eval(): this {
    return this.train(false);
  }

  /** Converts parameters and buffers: a dtype those of floating point, a memory format those of four dimensions. */
  to(target: { device?: Device; dtype?: FloatDType; memoryFormat?: MemoryFormat }): this {
    noGrad(() =>
      unscoped(() => {
        for (const tensor of this.stateDict().values()) {
          const device = target.device ?? tensor.device;
          const isFloat = tensor.dtype.includes("float");
          const dtype = isFloat ? (target.dtype ?? tensor.dtype) : tensor.dtype;
          const stays = device === tensor.device && dtype === tensor.dtype;
          const moved = stays ? ops.detach(tensor) : ops.toCopy(tensor, { device, dtype });
          const formatted = inMemoryFormat(moved, target.memoryFormat ?? "preserve");
          tensor.replace(formatted === moved ? moved : formatted);
          if (formatted !== moved) moved.dispose();
        }
      }),
    );
    return this;
  }

  /** Bytes of all parameters and buffers. */
  get bytes(): number {
    let bytes = 0;
    for (const tensor of this.stateDict().values()) {
      bytes += tensor.elements * bytesPerElement[tensor.dtype];
    }
    return bytes;
  }

  /** Frees all parameters and buffers. */
  [Symbol.dispose](): void {
    for (const tensor of this.stateDict().values()) tensor.dispose();
  }

  #collect<T extends Tensor>(wanted: (value: unknown) => boolean): [string, T][] {
    return this.namedModules().flatMap(([prefix, module]) =>
      Object.entries(module)
        .filter(([, value]) => wanted(value))
        .map(([name, value]): [string, T] => [join(prefix, name), value as T]),
    );
  }
}

type FloatDType = "float32" | "float64" | "float16" | "bfloat16";

const join = (prefix: string, name: string): string => (prefix === "" ? name : `${prefix}.${name}`);

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, i) => size === b[i]);
}
