import { expect, it } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { Generator, inference, ops, scope } from "../tensor/index.ts";
import { freeze } from "./frozen.ts";
import { embedInParts } from "./in-parts.ts";
import { createModel } from "./registry.ts";

expectNoLeaks();

it.each([
  // Maps of 1.6 MB an image behind the first stage.
  ["resnet50", 160],
  // None that is large.
  ["vit_tiny_patch16_224", 64],
] as const)("%s sees of images in parts what it sees of all", (name, size) => {
  using random = new Generator(1);
  using model = createModel(name, {
    ...{ classes: 3, inChannels: 3, imageSize: [size, size] },
    random: { init: random, dropout: random },
  });
  freeze(model, [3, size, size], {
    ...{ device: "cpu", precision: "fp32", autocast: null },
    ...{ memoryFormat: "channels_last", reason: "" },
  });
  const embed = embedInParts(model);
  inference(() =>
    scope(() => {
      // The last part is smaller.
      const images = ops.randn([5, 3, size, size], { generator: random });
      const [whole, parts] = [model.embed(images), embed(images)];
      expect(parts.shape).toEqual(whole.shape);
      const [a, b] = [whole.toArray("float32"), parts.toArray("float32")];
      const scale = Math.max(...a.map(Math.abs));
      expect(scale).toBeGreaterThan(0);
      expect(Math.max(...a.map((v, i) => Math.abs(v - b[i]!))) / scale).toBeLessThan(1e-5);
      expect(embed(ops.narrow(images, 0, 0, 1)).toArray("float32")).toHaveLength(a.length / 5);
    }),
  );
});
