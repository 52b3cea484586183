import { readFileSync } from "node:fs";

/**
 * The numbers PyTorch gave, as test/oracle/torch_*.py wrote them; what they mean stands in the docstring of the script
 * that `about.command` names.
 */
interface TorchFixtures {
  readonly simple_cnn: ModelFixture;
  readonly simple_cnn_grey: ModelFixture;
  readonly resnet20_cifar: ModelFixture;
  readonly resnet18: ModelFixture;
  readonly resnet18_grey: ModelFixture;
  readonly resnet34: ModelFixture;
  readonly resnet50: ModelFixture;
  readonly optimizers: OptimizersFixture;
  readonly schedules: SchedulesFixture;
  readonly functional: FunctionalFixture;
  readonly init: InitFixture;
  /** Dropout where MKL draws it. */
  readonly "dropout-mkl": DropoutFixture;
  readonly one_value: OneValueFixture;
}

interface OneValueFixture {
  readonly about: About;
  readonly cases: readonly { readonly shape: readonly number[]; readonly error: string | null }[];
}

interface About {
  readonly command: string;
  readonly timm?: string;
  readonly torch: string;
  readonly torchvision: string;
  readonly threads: number;
  readonly cpuCapability: string;
}

export interface TensorSummary {
  /** L2 norm. */
  readonly norm: number;
  readonly sum: number;
  /** The elements at `sampleIndices(count)`. */
  readonly samples: readonly number[];
  /** Zero but for rounding: only its smallness can be checked. */
  readonly zero?: true;
}

type Summaries = Readonly<Record<string, TensorSummary>>;

export interface PassFixture {
  /** How far PyTorch's float32 is from these float64 numbers: max |a - b| / max |b|. */
  readonly noise: { readonly logits: number; readonly gradients: number };
  /** [N, classes] */
  readonly logits: readonly number[];
  readonly crossEntropy: number;
  /** Label smoothing 0.1. */
  readonly crossEntropySmoothed: number;
  /** Of `crossEntropy`, with respect to every parameter or to some. */
  readonly gradients: Summaries;
  readonly inputGradient: TensorSummary;
}

export interface ModelFixture {
  readonly about: About;
  readonly model: string;
  readonly inputShape: readonly number[];
  readonly classes: number;
  readonly labels: readonly number[];
  readonly parameterCount: number;
  /** Shapes of the floating tensors, in state-dict order: `formulaTensor(name, position, shape)` are their values. */
  readonly stateDict: Readonly<Record<string, readonly number[]>>;
  readonly eval: PassFixture;
  readonly train: PassFixture & { readonly runningStats: Summaries };
}

export interface OptimizersFixture {
  readonly about: About;
  readonly shapes: readonly (readonly number[])[];
  readonly cases: Readonly<
    Record<
      string,
      {
        readonly optimizer: "SGD" | "Adam" | "AdamW";
        readonly options: OptimizerOptions;
        /** `parameters` are indices into `shapes`. */
        readonly groups?: readonly (OptimizerOptions & {
          readonly parameters: readonly number[];
        })[];
        /** How far PyTorch's own multi-tensor path is from these numbers: max |a - b| / max |b|. */
        readonly foreachDeviation: number;
        readonly steps: readonly { readonly parameters: readonly (readonly number[])[] }[];
      }
    >
  >;
}

export interface OptimizerOptions {
  readonly lr?: number;
  readonly momentum?: number;
  readonly dampening?: number;
  readonly nesterov?: boolean;
  readonly weight_decay?: number;
  readonly betas?: readonly [number, number];
  readonly eps?: number;
}

export interface SchedulesFixture {
  readonly about: About;
  readonly cases: Readonly<Record<string, ScheduleCase>>;
}

export interface ScheduleCase {
  readonly schedule: string;
  readonly base: number;
  readonly options: Readonly<Record<string, number | string>>;
  readonly rates: readonly number[];
  /** Of the plateau schedule: rates[i] is in force after metrics[i]. */
  readonly metrics?: readonly number[];
}

interface Values {
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

export interface FunctionalCase {
  /** formulaUniform(stream, numel) in `shape`, times `times` (1). */
  readonly inputs?: Readonly<
    Record<
      string,
      { readonly stream: number; readonly shape: readonly number[]; readonly times?: number }
    >
  >;
  readonly labels?: readonly number[];
  readonly options: Readonly<Record<string, unknown>>;
  readonly outputs: Readonly<Record<string, Values>>;
}

type FunctionalCases = Readonly<Record<string, FunctionalCase>>;

export interface FunctionalFixture {
  readonly about: About;
  readonly upstream: { readonly stream: number };
  readonly linear: FunctionalCase;
  readonly conv2d: FunctionalCases;
  readonly batchNorm2d: FunctionalCases;
  readonly layerNorm: FunctionalCases;
  readonly activations: FunctionalCases;
  readonly pooling: FunctionalCases;
  readonly crossEntropy: FunctionalCases;
  readonly distillation: FunctionalCases;
  readonly clipGradNorm: Readonly<
    Record<
      string,
      {
        readonly maxNorm: number;
        readonly normType: number | "inf";
        readonly totalNorm: number;
        readonly clipped: readonly (readonly number[])[];
      }
    >
  >;
}

export interface InitFixture {
  readonly about: About;
  readonly seed: number;
  readonly cases: Readonly<Record<string, Readonly<Record<string, InitTensor>>>>;
}

export interface DropoutFixture {
  readonly seed: number;
  readonly cases: Readonly<Record<string, InitTensor>>;
}

export interface InitTensor {
  readonly shape: readonly number[];
  readonly first: readonly number[];
  /** Of the float32 bytes, on `about.cpuCapability`. */
  readonly sha256: string;
  /** On instruction sets that give other bits, by the name ATen gives them. */
  readonly sha256Of?: Readonly<Record<string, string>>;
}

export function readTorchFixture<Name extends keyof TorchFixtures>(
  name: Name,
): TorchFixtures[Name] {
  return JSON.parse(readFileSync(new URL(`fixtures/torch/${name}.json`, import.meta.url), "utf8"));
}
