import { printable } from "../platform/printable.ts";

/** `93.14 %` from a share. */
export function percent(share: number, digits = 2): string {
  return `${(100 * share).toFixed(digits)} %`;
}

/** `92.6 to 93.6 %`. */
export function percentRange([lo, hi]: readonly [number, number]): string {
  return `${(100 * lo).toFixed(2)} to ${(100 * hi).toFixed(2)} %`;
}

/** `2,471,941`. */
export function count(value: number): string {
  return String(Math.round(value)).replaceAll(/\B(?=(\d{3})+$)/g, ",");
}

/** `7.1 ms`, `4.2 s`, `1 min 32 s`, `2 h 5 min`. */
export function duration(seconds: number): string {
  if (seconds < 0.1) return `${(1000 * seconds).toFixed(seconds < 0.01 ? 1 : 0)} ms`;
  if (seconds < 59.5) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** `412 MB`, decimal as disks and PyTorch's users count. */
export function bytes(value: number): string {
  if (value >= 1e9) return `${(value / 1e9).toFixed(2)} GB`;
  return `${(value / 1e6).toFixed(value < 1e7 ? 1 : 0)} MB`;
}

/** `2.7` from a ratio; whole above ten. */
export function times(ratio: number): string {
  return ratio >= 10 ? count(ratio) : ratio.toFixed(1);
}

/** Text for HTML content and quoted attributes; what is no text of a page is written out. */
export function escapeHtml(text: string): string {
  const entities: Record<string, string> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return printable(text).replaceAll(/[&<>"']/g, (character) => entities[character]!);
}

/** Text for a cell or line of Markdown: nothing in it becomes markup, and no line is broken. */
export function escapeMarkdown(text: string): string {
  return printable(text.replaceAll(/[\r\n\t]+/g, " "))
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(/[\\`*_[\]|#]/g, "\\$&");
}

/** `a, b and c`; of many the first ten. */
export function list(names: readonly string[]): string {
  if (names.length > 10) return `${names.slice(0, 10).join(", ")} and ${names.length - 10} more`;
  if (names.length < 2) return names.join("");
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

/** `p = 0.032`, `p < 0.0001`. */
export function pValue(p: number): string {
  return p < 0.0001 ? "p < 0.0001" : `p = ${Number(p.toPrecision(2))}`;
}

/** Points of accuracy from a difference of shares: `+0.52`. */
export function points(difference: number): string {
  const text = (100 * difference).toFixed(2);
  return difference > 0 ? `+${text}` : text;
}
