import { ThawError } from "../../errors.ts";
import { inWords } from "./in-words.ts";
import { PickleReader } from "./pickle-reader.ts";

/** A name that a pickle may use. What cannot be called has no `call`. */
export interface PickleGlobal {
  readonly name: string;
  /** Builds a value from what the file gives; `spend` must be told how many elements are copied. */
  readonly call?: (args: readonly unknown[], spend: (elements: number) => void) => unknown;
}

/** What a pickle may reach of the outside. */
export interface PickleWorld {
  /** Undefined refuses the name. */
  global(module: string, name: string): PickleGlobal | undefined;
  /** What stands for an object that is stored elsewhere, as a tensor's storage. */
  persistent(id: unknown): unknown;
}

/** A value with state of its own that BUILD hands in; all others keep what they are. */
export interface Buildable {
  setState(state: unknown): void;
}

/** A pickle above this is refused: that of a network with its optimizer has a few hundred kilobytes. */
export const MAX_PICKLE_BYTES = 10_000_000;
const MAX_OBJECTS = 1_000_000;
/** Values, and marks among them, that wait for the instruction that takes them. */
const MAX_STACK = 2_000_000;

/**
 * Python's pickle machine without Python: it builds numbers, texts, lists, tuples (frozen arrays), dicts (Maps) and what
 * the names of `world` build. Nothing of the file is ever executed; a name that is not in `world` is an error as soon as
 * it is read. No step calls itself, and what is made, kept and
 * stacked is bounded, by the pickle's length too.
 */
export class Unpickler {
  readonly #reader: PickleReader;
  readonly #world: PickleWorld;
  readonly #name: string;
  readonly #limit: number;
  #made = 0;
  #stack: unknown[] = [];
  #marks: number[] = [];
  readonly #memo = new Map<number, unknown>();

  readonly #instructions: ReadonlyMap<number, () => unknown> = new Map<number, () => unknown>([
    [0x80, () => this.#reader.byte()], // PROTO
    [0x95, () => this.#reader.length8()], // FRAME: a hint for reading ahead
    [0x28, () => this.#mark()], // MARK
    [0x30, () => this.#pop()], // POP
    [0x31, () => this.#popMark()], // POP_MARK
    [0x32, () => this.#push(this.#top())], // DUP
    [0x4e, () => this.#push(null)], // NONE
    [0x88, () => this.#push(true)], // NEWTRUE
    [0x89, () => this.#push(false)], // NEWFALSE
    [0x4b, () => this.#push(this.#reader.byte())], // BININT1
    [0x4d, () => this.#push(this.#reader.uint16())], // BININT2
    [0x4a, () => this.#push(this.#reader.int32())], // BININT
    [0x8a, () => this.#push(this.#reader.long(this.#reader.byte()))], // LONG1
    [0x8b, () => this.#push(this.#reader.long(this.#reader.uint32()))], // LONG4
    [0x47, () => this.#push(this.#reader.float64())], // BINFLOAT
    [0x58, () => this.#push(this.#reader.text(this.#reader.uint32()))], // BINUNICODE
    [0x8c, () => this.#push(this.#reader.text(this.#reader.byte()))], // SHORT_BINUNICODE
    [0x8d, () => this.#push(this.#reader.text(this.#reader.length8()))], // BINUNICODE8
    [0x54, () => this.#push(this.#reader.text(this.#reader.uint32()))], // BINSTRING
    [0x55, () => this.#push(this.#reader.text(this.#reader.byte()))], // SHORT_BINSTRING
    [0x42, () => this.#push(this.#reader.bytes(this.#reader.uint32()))], // BINBYTES
    [0x43, () => this.#push(this.#reader.bytes(this.#reader.byte()))], // SHORT_BINBYTES
    [0x8e, () => this.#push(this.#reader.bytes(this.#reader.length8()))], // BINBYTES8
    [0x5d, () => this.#make([])], // EMPTY_LIST
    [0x8f, () => this.#make([])], // EMPTY_SET, which is kept as a list
    [0x29, () => this.#push(EMPTY_TUPLE)], // EMPTY_TUPLE
    [0x7d, () => this.#make(new Map())], // EMPTY_DICT
    [0x85, () => this.#tuple(this.#take(1))], // TUPLE1
    [0x86, () => this.#tuple(this.#take(2))], // TUPLE2
    [0x87, () => this.#tuple(this.#take(3))], // TUPLE3
    [0x74, () => this.#tuple(this.#popMark())], // TUPLE
    [0x6c, () => this.#make(this.#popMark())], // LIST
    [0x64, () => this.#dict(this.#popMark())], // DICT
    [0x61, () => this.#append(this.#take(1))], // APPEND
    [0x65, () => this.#append(this.#popMark())], // APPENDS
    [0x90, () => this.#append(this.#popMark())], // ADDITEMS
    [0x73, () => this.#setItems(this.#take(2))], // SETITEM
    [0x75, () => this.#setItems(this.#popMark())], // SETITEMS
    [0x71, () => this.#keep(this.#reader.byte())], // BINPUT
    [0x72, () => this.#keep(this.#reader.uint32())], // LONG_BINPUT
    [0x94, () => this.#keep(this.#memo.size)], // MEMOIZE
    [0x68, () => this.#get(this.#reader.byte())], // BINGET
    [0x6a, () => this.#get(this.#reader.uint32())], // LONG_BINGET
    [0x51, () => this.#push(this.#world.persistent(this.#pop()))], // BINPERSID
    [0x63, () => this.#global(this.#reader.line(), this.#reader.line())], // GLOBAL
    [0x93, () => this.#global(...(this.#take(2) as [unknown, unknown]))], // STACK_GLOBAL
    [0x69, () => this.#global(this.#reader.line(), this.#reader.line(), true)], // INST: a name as GLOBAL, and a call of it
    [0x52, () => this.#reduce()], // REDUCE
    [0x81, () => this.#reduce()], // NEWOBJ
    [0x62, () => this.#build()], // BUILD
  ]);

  /** `name` stands in messages. Reads one pickle from `at` on. */
  constructor(bytes: Uint8Array, world: PickleWorld, name: string, at = 0) {
    this.#reader = new PickleReader(bytes.subarray(0, at + MAX_PICKLE_BYTES), name, at);
    this.#world = world;
    this.#name = name;
    // Even a list of empty lists takes three bytes a list; a few are free, so that tiny files have room.
    this.#limit = Math.min(MAX_OBJECTS, 1000 + (bytes.length - at) / 2);
  }

  /** Where the pickle ends, once it is loaded. */
  get end(): number {
    return this.#reader.position;
  }

  /** @throws ThawError for a name that is not allowed, an instruction that is not known, a damaged pickle. */
  load(): unknown {
    for (;;) {
      const code = this.#reader.byte();
      if (code === STOP) return this.#pop();
      const instruction = this.#instructions.get(code);
      if (instruction === undefined) {
        const name = `0x${code.toString(16).padStart(2, "0")}`;
        throw this.#reader.damaged(`the instruction ${name} is not known`);
      }
      instruction();
    }
  }

  #push(value: unknown): void {
    if (this.#stack.length >= MAX_STACK) throw this.#reader.damaged("a stack of too many values");
    this.#stack.push(value);
  }

  /** Pushes a new object. */
  #make(value: unknown): void {
    this.#spend(1);
    this.#push(value);
  }

  #spend(count: number): void {
    this.#made += count;
    if (this.#made > this.#limit) {
      throw this.#reader.damaged(`makes more than ${Math.floor(this.#limit)} objects`);
    }
  }

  /** The values above the last mark, or above the bottom, belong to one instruction and must be there. */
  #take(count: number): unknown[] {
    if (this.#stack.length - (this.#marks.at(-1) ?? 0) < count) {
      throw this.#reader.damaged("takes more values than there are");
    }
    return this.#stack.splice(this.#stack.length - count);
  }

  #pop(): unknown {
    return this.#take(1)[0];
  }

  #top(): unknown {
    if (this.#stack.length <= (this.#marks.at(-1) ?? 0)) {
      throw this.#reader.damaged("takes more values than there are");
    }
    return this.#stack.at(-1);
  }

  #mark(): void {
    if (this.#marks.length >= MAX_STACK) throw this.#reader.damaged("too many marks");
    this.#marks.push(this.#stack.length);
  }

  #popMark(): unknown[] {
    const mark = this.#marks.pop();
    if (mark === undefined) throw this.#reader.damaged("a mark is missing");
    return this.#stack.splice(mark);
  }

  #keep(index: number): void {
    this.#memo.set(index, this.#top());
    if (this.#memo.size > this.#limit) {
      throw this.#reader.damaged(`keeps more than ${Math.floor(this.#limit)} values`);
    }
  }

  #get(index: number): void {
    if (!this.#memo.has(index)) throw this.#reader.damaged(`no value was kept as ${index}`);
    this.#push(this.#memo.get(index));
  }

  #tuple(values: unknown[]): void {
    this.#make(Object.freeze(values));
  }

  #append(values: readonly unknown[]): void {
    const list = this.#top();
    if (!Array.isArray(list) || Object.isFrozen(list)) {
      throw this.#reader.damaged("appends to what is no list");
    }
    for (const value of values) list.push(value);
  }

  #dict(values: readonly unknown[]): void {
    this.#make(new Map());
    this.#setItems(values);
  }

  #setItems(values: readonly unknown[]): void {
    const map = this.#top();
    if (!(map instanceof Map) || values.length % 2 !== 0) {
      throw this.#reader.damaged("sets items of what is no dict");
    }
    for (let i = 0; i < values.length; i += 2) map.set(values[i], values[i + 1]);
  }

  #global(module: unknown, name: unknown, called = false): void {
    if (typeof module !== "string" || typeof name !== "string") {
      throw this.#reader.damaged(`a name of ${inWords(module)} and ${inWords(name)}`);
    }
    const global = this.#world.global(module, name);
    if (global === undefined || called) throw refused(this.#name, module, name);
    this.#push(global);
  }

  #reduce(): void {
    const [callee, args] = this.#take(2);
    const call = (callee as PickleGlobal | null)?.call;
    if (typeof call !== "function" || !Array.isArray(args)) {
      throw this.#reader.damaged("calls what cannot be called");
    }
    this.#make(call(args, (elements) => this.#spend(elements)));
  }

  #build(): void {
    const state = this.#pop();
    const target = this.#top() as Partial<Buildable> | null;
    if (typeof target?.setState === "function") target.setState(state);
  }
}

const STOP = 0x2e;
const EMPTY_TUPLE: readonly unknown[] = Object.freeze([]);

function refused(file: string, module: string, name: string): ThawError {
  const full = `${module.slice(0, 80)}.${name.slice(0, 80)}`;
  const isModel = /^(torch\.nn|torchvision\.models|timm|__main__|models?)\b/.test(module);
  return new ThawError(`${file}: the pickle asks for ${full}, which is not allowed`, {
    hint: isModel
      ? "The file holds a whole Python object. Save its weights alone: torch.save(model.state_dict(), …)."
      : "Thaw builds tensors, containers, numbers and texts only, and executes nothing of a file. Save a state_dict, or safetensors.",
  });
}
