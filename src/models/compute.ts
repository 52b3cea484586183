import { UsageError } from "../errors.ts";
import { amxState, cpuInfo, cpuPrecision } from "../libtorch/index.ts";
import { type Device, hasOperator, type MemoryFormat, version } from "../tensor/index.ts";
import type { Compute } from "./predict.ts";

export type DeviceChoice = "auto" | "cpu" | "cuda" | "mps";
export type PrecisionName = "fp32" | "bf16" | "fp16";

/** How a run computes, resolved from "auto" by what the machine has. */
export interface ComputeChoice extends Compute {
  readonly precision: PrecisionName;
  readonly memoryFormat: MemoryFormat;
  /** Why, for the person. */
  readonly reason: string;
}

/** @throws UsageError for a device or precision that this machine's libtorch does not have. */
export function chooseCompute(config: {
  readonly device: DeviceChoice;
  readonly precision: "auto" | PrecisionName;
}): ComputeChoice {
  const device = chooseDevice(config.device);
  const { precision, reason } = choosePrecision(config.precision, device);
  const autocast = ({ fp32: null, bf16: "bfloat16", fp16: "float16" } as const)[precision];
  // Blocked layouts need no reordering before oneDNN's and cuDNN's convolutions.
  return { device, precision, autocast, memoryFormat: "channels_last", reason };
}

function chooseDevice(wanted: DeviceChoice): Device {
  const { cudaDevices } = version();
  if (wanted === "auto") return cudaDevices > 0 ? "cuda" : "cpu";
  if (wanted === "cuda" && cudaDevices === 0) {
    throw new UsageError("--device cuda: this libtorch finds no CUDA device", {
      hint: "`thaw doctor` says which libtorch is used; --device auto takes what there is",
    });
  }
  if (wanted === "mps" && !hasOperator("aten::relu", "MPS")) {
    throw new UsageError("--device mps: this libtorch has no Metal backend", {
      hint: "--device auto takes what there is",
    });
  }
  return wanted;
}

function choosePrecision(
  wanted: "auto" | PrecisionName,
  device: Device,
): Pick<ComputeChoice, "precision" | "reason"> {
  if (wanted === "fp16" && device !== "cuda") {
    // libtorch's autocast has fp16 for CUDA alone.
    throw new UsageError(
      `--precision fp16: only a CUDA device computes it, and this is ${device}`,
      {
        hint: "--precision auto chooses bf16 where the hardware has it, else fp32",
      },
    );
  }
  if (wanted !== "auto") return { precision: wanted, reason: "as asked" };
  if (device === "cpu") {
    const cpu = cpuInfo();
    const amxBf16 = cpu.amxBf16 && amxState() !== "unusable";
    return cpuPrecision({ ...cpu, amxBf16 });
  }
  return device === "cuda"
    ? { precision: "bf16", reason: "the GPU computes bf16" }
    : { precision: "fp32", reason: `${device} computes fp32` };
}
