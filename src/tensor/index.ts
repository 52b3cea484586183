export type { Handle } from "../libtorch/native.ts";
export {
  autocast,
  autocastDtype,
  clearGrads,
  grad,
  gradsOf,
  inference,
  noGrad,
} from "./autograd.ts";
export { type Device, deviceType, type MemoryFormat } from "./device.ts";
export { bytesPerElement, type DType, type TypedArrayOf } from "./dtype.ts";
export { hasOperator, type OperatorCall, observeCalls } from "./engine.ts";
export { Generator } from "./generator.ts";
export { resample, type TurboJpeg, turboJpeg } from "./image.ts";
export { emptyCache, limitMemory, liveTensors, memory, resetPeakMemory } from "./memory.ts";
export { inMemoryFormat } from "./memory-format.ts";
export * as ops from "./ops.gen.ts";
export { type Fit, isOutOfMemory, largestFit, limitToMachine } from "./out-of-memory.ts";
export { Profiler, type ProfilerEvent, profile } from "./profiler.ts";
export { getThreads, manualSeed, setNiceness, setThreads, version } from "./runtime.ts";
export { scope, scopeInSteps, TensorScope, unscoped } from "./scope.ts";
export { Tensor } from "./tensor.ts";
