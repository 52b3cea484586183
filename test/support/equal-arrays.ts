// Vitest compares typed arrays element by element, which takes seconds for the weights of a network.
import { expect } from "vitest";

expect.addEqualityTesters([
  (a: unknown, b: unknown): boolean | undefined => {
    if (!ArrayBuffer.isView(a) || !ArrayBuffer.isView(b) || a.byteLength !== b.byteLength) {
      return undefined;
    }
    const [x, y] = [a, b].map((view) =>
      Buffer.from(view.buffer, view.byteOffset, view.byteLength),
    ) as [Buffer, Buffer];
    // What differs in bits may still be equal (0 and -0), or has a difference to be shown.
    return a.constructor === b.constructor && x.equals(y) ? true : undefined;
  },
]);
