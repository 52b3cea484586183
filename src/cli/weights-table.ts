import Table from "cli-table3";
import type { LoadReport } from "../models/weights/index.ts";

/** What became of a model's tensors, in a line a kind; adapted ones one by one, as long as they are few. */
export function weightsTable(
  { loaded, adapted, reinitialized, prefix, leftOut }: LoadReport,
  from: string,
): string {
  // Frames cost width: the table stands among plain lines.
  const none = ["top", "top-mid", "top-left", "top-right", "bottom", "bottom-mid", "bottom-left"];
  const chars = [
    ...none,
    "bottom-right",
    "left",
    "left-mid",
    "mid",
    "mid-mid",
    "right",
    "right-mid",
  ];
  const table = new Table({
    chars: { ...Object.fromEntries(chars.map((name) => [name, ""])), middle: "  " },
    style: { border: [], "padding-left": 2, "padding-right": 0, compact: true },
  });
  table.push([
    "loaded",
    `${loaded.length} tensors of ${from}${prefix === "" ? "" : `, under ${prefix}`}`,
  ]);
  for (const { name, from: given, to, how } of adapted.slice(0, SHOWN)) {
    table.push(["adapted", `${name}: [${given.join(", ")}] → [${to.join(", ")}], ${how}`]);
  }
  if (adapted.length > SHOWN) table.push(["adapted", `and ${adapted.length - SHOWN} more`]);
  if (reinitialized.length > 0) {
    table.push(["initialised anew", `${reinitialized.join(", ")} (other classes)`]);
  }
  if (leftOut.length > 0) {
    const more = leftOut.length > SHOWN ? `, and ${leftOut.length - SHOWN} more` : "";
    table.push(["left out", `${leftOut.slice(0, SHOWN).join(", ")}${more}`]);
  }
  return table.toString();
}

const SHOWN = 4;
