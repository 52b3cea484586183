import { ThawError } from "../../errors.ts";
import type { ModelName } from "../registry.ts";
import type { Classifier, Framework } from "../spec.ts";
import { lookAlike } from "./look-alike.ts";
import type { WeightsFile } from "./read.ts";
import type { TensorData } from "./safetensors.ts";

/** Why weights do not fit a model; filled while they are compared. */
export interface Misfit {
  /** Of the model, not in the file; and the other way round. */
  readonly missing: string[];
  readonly unexpected: string[];
  /** Both have it, with another shape or kind of number. */
  readonly shapes: {
    readonly name: string;
    readonly file: string;
    readonly model: string;
    readonly isHead: boolean;
  }[];
}

/** What is known of the weights, for messages. */
export interface Known {
  readonly from?: string;
  /** The model's name in the registry. */
  readonly model?: string;
  readonly file?: Partial<Pick<WeightsFile, "framework" | "leftOut">>;
}

const SHOWN = 3;

/** The error for weights that do not fit: a head for other classes, or another network and which one it looks like. */
export function mismatch(
  misfit: Misfit,
  tensors: ReadonlyMap<string, TensorData>,
  { from, model, file: known, prefix = "" }: Known & { readonly prefix?: string },
): ThawError {
  const { missing, unexpected, shapes } = misfit;
  const classes = shapes.every(({ isHead }) => isHead)
    ? /\[(\d+)/.exec(shapes[0]?.model ?? "")?.[1]
    : undefined;
  if (missing.length === 0 && unexpected.length === 0 && classes !== undefined) {
    const { name, file, model: wanted } = shapes[0]!;
    return new ThawError(
      `${name}: file has ${shape(file)}, model wants ${shape(wanted)}: load first, then replaceHead(${classes})`,
      {
        hint: "the head is for other classes; loadWeights(…, { newHead: true }) leaves the model's own",
      },
    );
  }
  const alike = lookAlike(tensors).filter(
    (name) => known?.framework === undefined || isOf(name, known.framework),
  );
  const lines = [
    ...some("missing", missing),
    ...some("unexpected", unexpected),
    ...some(
      "different",
      shapes.map(
        ({ name, file, model: wanted }) => `${name} (file has ${file}, model wants ${wanted})`,
      ),
    ),
  ];
  const network = model ?? "the model";
  const isAlike = alike.length > 0 && !alike.some((name) => name === model);
  const looks = isAlike ? `: it looks like ${alike.join(" or ")}` : "";
  const under = prefix === "" ? "" : ` (names under ${prefix})`;
  return new ThawError(
    `${from === undefined ? "the weights do" : `${from} does`} not fit ${network}${looks}${under}\n${lines.join("\n")}`,
    {
      hint: isAlike
        ? `use --model ${alike.join(" or ")}, or weights of ${network}`
        : `the file must hold the weights of ${network}, under timm's or torchvision's names`,
    },
  );
}

/** timm marks TensorFlow's layers so; of most models there is one kind only. */
function isOf(name: ModelName, framework: Framework): boolean {
  return name.startsWith("tf_") === (framework === "tensorflow");
}

/** @throws ThawError where names and shapes fit, but the weights were trained with another framework's layers. */
export function checkFramework(model: Classifier, { from, model: name, file }: Known): void {
  const framework = file?.framework;
  if (framework === undefined || model.framework === undefined) return;
  if (framework === model.framework) return;
  const titles = { pytorch: "PyTorch's", tensorflow: "TensorFlow's" } as const;
  const other = framework === "tensorflow" ? `tf_${name}` : name?.replace(/^tf_/, "");
  throw new ThawError(
    `${from ?? "the weights"}: trained with ${titles[framework]} padding and batch norms; ${name ?? "the model"} has ${titles[model.framework]}, which would give other outputs`,
    { hint: name === undefined ? "load them into that network" : `use --model ${other}` },
  );
}

function some(what: string, names: readonly string[]): string[] {
  if (names.length === 0) return [];
  const rest = names.length > SHOWN ? `, and ${names.length - SHOWN} more` : "";
  return [`  ${what}: ${names.slice(0, SHOWN).join(", ")}${rest}`];
}

/** `float32 [10, 512]` → `[10, 512]`. */
function shape(described: string): string {
  return described.slice(described.indexOf("["));
}
