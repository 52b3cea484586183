import { ThawError } from "../../errors.ts";
import { aroundForward, type Module } from "../../nn/index.ts";
import {
  type Handle,
  inference,
  type OperatorCall,
  observeCalls,
  scope,
  type Tensor,
} from "../../tensor/index.ts";
import { describeTensor } from "./describe.ts";

/** A tensor that does not depend on the input, as it was when it was used. */
export interface Constant {
  readonly kind: "constant";
  /** Its key in the state dict, of a parameter as it is. */
  readonly key: string | undefined;
  readonly shape: readonly number[];
  readonly dtype: string;
  /** Row-major. */
  readonly bytes: Uint8Array;
}

/** A tensor that was computed from the input: the `id`-th that was. */
export interface Computed {
  readonly kind: "computed";
  readonly id: number;
  readonly shape: readonly number[];
  readonly dtype: string;
}

export type Traced = Constant | Computed;
/** An argument: tensors are traced, all else is as it was given. */
export type Argument = Traced | readonly Traced[] | unknown;

/** A call with a tensor in it that depends on the input. */
export interface RecordedCall {
  /** Without namespace, and without the underscore of an operator in place: `add.Tensor`. */
  readonly op: string;
  /** Path of the innermost module that it was called in. */
  readonly module: string;
  readonly args: readonly Argument[];
  readonly results: readonly Computed[];
}

export interface Recording {
  readonly calls: readonly RecordedCall[];
  readonly input: Computed;
  readonly output: Computed;
}

/** Kinds of arguments in a schema, as native/convert.h numbers them. */
const TENSOR = 0;
const TENSOR_LISTS = [11, 12];

/** Operators that give their argument's own memory, its elements in the same order. */
const SAME_ORDER = new Set(["view", "unsqueeze"]);

/** A schema whose result is none of its arguments. */
const GIVES_NEW = /-> \(?Tensor\b(?!\()/;

/** What a handle stands for now. */
interface Binding {
  traced: Computed;
  /** Tensors that may share memory. */
  readonly group: Set<Binding>;
  /** Its elements are those of the group's first, in their order. */
  readonly ordered: boolean;
  /** Another tensor of its memory was written to. */
  stale: boolean;
}

/**
 * Runs `forward` on `x` and keeps every operator that depends on it. What does not is a constant with
 * the value that it has, so that constants are folded by having been computed.
 * @throws ThawError for a tensor that is read after its memory was written to by another way.
 */
export function recordForward(
  model: Module | undefined,
  forward: (x: Tensor) => Tensor,
  x: Tensor,
): Recording {
  const recorder = new Recorder(model);
  const input = recorder.begin(x);
  let output: Computed | undefined;
  const pass = () =>
    observeCalls(
      (call) => recorder.record(call),
      () => {
        output = recorder.find(forward(x));
      },
    );
  inference(() =>
    scope(() => {
      if (model === undefined) return pass();
      using _hooks = aroundForward(model, (_name, module, _input, run) =>
        recorder.inside(module, run),
      );
      pass();
    }),
  );
  if (recorder.failure !== undefined) throw recorder.failure;
  if (output === undefined) throw new ThawError("the output does not depend on the input");
  return { calls: recorder.calls, input, output };
}

class Recorder {
  readonly calls: RecordedCall[] = [];
  failure: ThawError | undefined;
  readonly #bindings = new Map<Handle, Binding>();
  readonly #keys = new Map<Handle, string>();
  readonly #paths: ReadonlyMap<Module, string>;
  readonly #constants = new Map<Handle, Constant>();
  readonly #stack: string[] = [];
  #ids = 0;

  constructor(model: Module | undefined) {
    this.#paths = new Map(model?.namedModules().map(([path, module]) => [module, path]));
    for (const [key, tensor] of model?.stateDict() ?? []) this.#keys.set(tensor.handle, key);
  }

  begin(x: Tensor): Computed {
    return this.#bind(x.handle).traced;
  }

  find({ handle }: Tensor): Computed | undefined {
    return this.#bindings.get(handle)?.traced;
  }

  inside<T>(module: Module, run: () => T): T {
    this.#stack.push(this.#paths.get(module) ?? "");
    try {
      return run();
    } finally {
      this.#stack.pop();
    }
  }

  record({ name, schema, values, result }: OperatorCall): void {
    const kinds = schema.arguments.map(({ kind }) => kind);
    const handlesOf = (value: unknown, i: number): Handle[] => {
      if (kinds[i] === TENSOR) return typeof value === "number" ? [value] : [];
      if (!TENSOR_LISTS.includes(kinds[i]!) || !Array.isArray(value)) return [];
      return value.filter((item) => typeof item === "number");
    };
    const written = schema.arguments.findIndex((argument) => argument.written);
    // A batch norm in one with what follows it may write its running statistics, but gives another tensor.
    const target =
      written < 0 || GIVES_NEW.test(schema.text) ? undefined : (values[written] as Handle);
    if (!values.some((value, i) => handlesOf(value, i).some((one) => this.#bindings.has(one)))) {
      // A constant that is written to is another from then on.
      if (target !== undefined) this.#constants.delete(target);
      return;
    }
    const op = operatorOf(name, target !== undefined);
    const args = values.map((value, i): Argument => {
      const handles = handlesOf(value, i);
      if (handles.length === 0) return value;
      const traced = handles.map((handle) => this.#traced(handle, op));
      return kinds[i] === TENSOR ? traced[0] : traced;
    });
    const fresh = target !== undefined ? [target] : Array.isArray(result) ? result : [result];
    const alias = /->\s*\(?Tensor\(a/.test(schema.text)
      ? this.#bindings.get(values[0] as Handle)
      : undefined;
    const results = (fresh as Handle[]).map((handle) =>
      target === undefined
        ? this.#bind(handle, alias, SAME_ORDER.has(op)).traced
        : this.#rewrite(handle),
    );
    this.calls.push({ op, module: this.#stack.at(-1) ?? "", args, results });
    if (target !== undefined) this.#spread(this.#bindings.get(target)!);
  }

  #traced(handle: Handle, op: string): Traced {
    const binding = this.#bindings.get(handle);
    if (binding === undefined) return this.#constant(handle);
    if (!binding.stale) return binding.traced;
    // Thrown when the pass has ended: here the call's results would have no owner.
    this.failure ??= new ThawError(
      `${this.#stack.at(-1) || "the model"}: ${op} reads a tensor whose memory was written to through another view`,
      { hint: "such a forward pass has no ONNX form: write it without the operator in place" },
    );
    return binding.traced;
  }

  #constant(handle: Handle): Constant {
    const known = this.#constants.get(handle);
    if (known !== undefined) return known;
    const constant: Constant = {
      kind: "constant",
      key: this.#keys.get(handle),
      ...describeTensor(handle, "bytes"),
    };
    this.#constants.set(handle, constant);
    return constant;
  }

  #bind(handle: Handle, base?: Binding, sameOrder = false): Binding {
    const group = base?.group ?? new Set();
    const binding: Binding = {
      traced: this.#computed(handle),
      group,
      ordered: base === undefined || (base.ordered && sameOrder),
      stale: base?.stale ?? false,
    };
    group.add(binding);
    this.#bindings.set(handle, binding);
    return binding;
  }

  #computed(handle: Handle): Computed {
    return { kind: "computed", id: this.#ids++, ...describeTensor(handle) };
  }

  /** A tensor that was written to: another value under the same handle. */
  #rewrite(handle: Handle): Computed {
    const binding = this.#bindings.get(handle) ?? this.#bind(handle);
    binding.traced = this.#computed(handle);
    return binding.traced;
  }

  /** What else is in the memory that was written to. */
  #spread(written: Binding): void {
    for (const other of written.group) {
      if (other === written) continue;
      if (!other.ordered || !written.ordered) {
        other.stale = true;
        continue;
      }
      const { shape, dtype } = other.traced;
      const traced: Computed = { kind: "computed", id: this.#ids++, shape, dtype };
      other.traced = traced;
      this.calls.push({
        op: "reshape",
        module: this.#stack.at(-1) ?? "",
        args: [written.traced, shape],
        results: [traced],
      });
    }
  }
}

/** `aten::add_.Tensor` → `add.Tensor`; `thaw::linear_scores` keeps its name. */
function operatorOf(name: string, inPlace: boolean): string {
  const plain = name.replace(/^\w+::/, "");
  return inPlace ? plain.replace(/_(?=\.|$)/, "") : plain;
}
