import type { Handle } from "../libtorch/native.ts";
import type { Device } from "./device.ts";
import { engine } from "./engine.ts";
import { Tensor } from "./tensor.ts";

const abandoned = new FinalizationRegistry<Handle>((handle) => {
  engine().releaseGenerator(handle);
});

/** A stream of random numbers, as `torch.Generator(device).manual_seed(seed)`. */
export class Generator implements Disposable {
  readonly handle: Handle;

  constructor(seed: number, device: Device = "cpu") {
    this.handle = engine().newGenerator(seed, device);
    abandoned.register(this, this.handle, this);
  }

  /** The whole state as a uint8 tensor, to be saved. */
  get state(): Tensor {
    return new Tensor(engine().generatorState(this.handle));
  }

  set state(state: Tensor) {
    engine().setGeneratorState(this.handle, state.handle);
  }

  [Symbol.dispose](): void {
    if (engine().releaseGenerator(this.handle)) abandoned.unregister(this);
  }
}
