/**
 * What the addon exports. A handle is a number that stands for a tensor (or a generator); it is
 * recognised as stale after its release, and other threads' isolates may use it.
 */
export type Handle = number;

export interface NativeVersion {
  readonly libtorch: string;
  readonly napi: number;
  readonly cxx11Abi?: boolean;
  readonly compiler: string;
  readonly cuda: boolean;
  readonly cudaDevices: number;
  readonly mkldnn: boolean;
  readonly mkl: boolean;
  readonly openmp: boolean;
  /** libtorch's own build summary, many lines. */
  readonly config: string;
  /** Threads and the OpenMP settings in force, many lines. */
  readonly parallel: string;
}

export interface NativeArgument {
  readonly name: string;
  readonly type: string;
  readonly kind: number;
  readonly optional: boolean;
  readonly hasDefault: boolean;
  readonly kwargOnly: boolean;
  readonly written: boolean;
  /** `int[2]` → 2, else -1. */
  readonly fixedLength: number;
}

export interface NativeSchema {
  readonly text: string;
  readonly arguments: readonly NativeArgument[];
  readonly returns: readonly { readonly type: string; readonly written: boolean }[];
}

export interface AllocatorStatistics {
  /** Bytes in tensors now, and the most there were since the last reset. */
  readonly currentBytes: number;
  readonly peakBytes: number;
  /** Bytes taken from the system, cached blocks included. */
  readonly reservedBytes: number;
  readonly peakReservedBytes: number;
  /** Blocks that the cache did not have: constant in a steady training loop. */
  readonly freshBlocks: number;
  /** What tensors asked for, without the blocks' rounding. */
  readonly tensorBytes: number;
  readonly peakTensorBytes: number;
}

export interface ProfilerEvent {
  /** An operator's, `aten::conv2d`; of a call, the addon's function, or the operator that it calls with its overload. */
  readonly name: string;
  /** A node of autograd's graph is `backward`; `call` is a call from JavaScript, first to last line in the addon. */
  readonly kind: "operator" | "backward" | "call";
  /** Nanoseconds since the profiler was started. */
  readonly start: number;
  readonly duration: number;
  readonly thread: number;
  /** Of autograd: an operator's and that of the node which differentiates it are the same; -1: none. */
  readonly sequence: number;
  readonly shapes: string;
}

/**
 * `reported`: usable as it is; `supplied`: the hypervisor hides the tile palette, and it was answered in
 * its place; `unusable`: neither, so that oneDNN must be kept from AMX; `absent`: the CPU has none.
 */
export type AmxState = "reported" | "supplied" | "unusable" | "absent";

export interface Native {
  /** Once, on the main thread, before the first bf16 operator. */
  prepareAmx(): AmxState;
  resolve(name: string): number;
  hasOperator(name: string, backend?: string): boolean;
  schema(name: string): NativeSchema;
  operatorNames(): string[];
  /** Missing arguments take the schema's defaults, null is None. In-place forms return nothing. */
  call(operator: number, ...values: unknown[]): unknown;

  fromTypedArray(array: NodeJS.TypedArray, dtype: string, shape: readonly number[]): Handle;
  borrowTypedArray(array: NodeJS.TypedArray, dtype: string, shape: readonly number[]): Handle;
  toArrayBuffer(tensor: Handle): ArrayBuffer;
  release(tensor: Handle): boolean;
  isLive(tensor: Handle): boolean;
  liveTensors(): number;
  item(tensor: Handle): number;
  shape(tensor: Handle): number[];
  strides(tensor: Handle): number[];
  dtype(tensor: Handle): string;
  device(tensor: Handle): string;
  isContiguous(tensor: Handle, memoryFormat: string): boolean;
  /** Of tensors at the same place of each list: dense, of one shape and with the same strides? */
  sameDenseLayouts(lists: readonly (readonly Handle[])[]): boolean[];

  backward(
    tensors: readonly Handle[],
    gradients: readonly (Handle | null)[],
    retainGraph: boolean,
    createGraph: boolean,
    inputs: readonly Handle[],
  ): void;
  grad(
    outputs: readonly Handle[],
    inputs: readonly Handle[],
    gradients: readonly (Handle | null)[],
    retainGraph: boolean,
    createGraph: boolean,
    allowUnused: boolean,
  ): (Handle | null)[];
  gradOf(tensor: Handle): Handle | null;
  gradsOf(tensors: readonly Handle[]): (Handle | null)[];
  setGrad(tensor: Handle, gradient: Handle | null): void;
  clearGrads(tensors: readonly Handle[]): void;
  requiresGrad(tensor: Handle): boolean;
  setRequiresGrad(tensor: Handle, requires: boolean): void;
  isLeaf(tensor: Handle): boolean;
  setGradMode(enabled: boolean): boolean;
  enterInference(): number;
  leaveInference(depth: number): void;
  setAutocast(device: string, enabled: boolean, dtype: string): void;

  allocatorStatistics(): AllocatorStatistics;
  resetPeak(): void;
  emptyCache(): void;
  setMemoryLimit(bytes: number): number;

  newGenerator(seed: number, device: string): Handle;
  releaseGenerator(generator: Handle): boolean;
  generatorState(generator: Handle | null): Handle;
  setGeneratorState(generator: Handle | null, state: Handle): void;
  manualSeed(seed: number): void;

  version(): NativeVersion;
  getThreads(): number;
  setThreads(count: number): void;
  setNiceness(niceness: number): boolean;
  setDeterministic(flag: boolean): void;

  /** Of the file's header alone; `mode` is Pillow's. Absent where the addon was compiled without libturbojpeg. */
  jpegHeader?(bytes: Uint8Array): { width: number; height: number; mode: "L" | "RGB" | "CMYK" };
  /**
   * RGB into `pixels` [height, width, 3]; the size is the header's, or 1/2, 1/4, 1/8 of it rounded up.
   * Gives libjpeg's first warning, or null; throws what it calls an error.
   */
  decodeJpeg?(bytes: Uint8Array, pixels: Uint8Array, width: number, height: number): string | null;
  /** The box [left, top, right, bottom] of `from`, resampled into `to`; both [height, width, channels]. */
  resample(
    from: Uint8Array,
    fromSize: readonly [height: number, width: number],
    to: Uint8Array,
    toSize: readonly [height: number, width: number],
    channels: number,
    box: readonly [left: number, top: number, right: number, bottom: number],
    filter: "bilinear" | "bicubic",
  ): void;

  /** Returns the calling thread, as events name it. */
  startProfiler(withShapes: boolean): number;
  /** Nanoseconds since the profiler was last started. */
  profilerClock(): number;
  stopProfiler(): { readonly events: readonly ProfilerEvent[]; readonly dropped: number };
}
