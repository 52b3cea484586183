export type Device = "cpu" | "cuda" | "mps" | `cuda:${number}`;
/** How a 4-d tensor lies in memory; its shape is NCHW in each. */
export type MemoryFormat = "contiguous" | "channels_last" | "preserve";

/** "cuda:1" → "cuda": what autocast and dispatch go by. */
export function deviceType(device: Device): "cpu" | "cuda" | "mps" {
  return device.startsWith("cuda") ? "cuda" : device === "mps" ? "mps" : "cpu";
}
