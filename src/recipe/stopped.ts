import { ThawError } from "../errors.ts";

/** Thrown by what is told of progress, where a signal asks for an end: what is under way ends, and has failed in nothing. */
export class StoppedError extends ThawError {
  constructor() {
    super("stopped by a signal");
  }
}

/** For progress: throws where an end is asked for. */
export function endIfStopped(isStopped: (() => boolean) | undefined): void {
  if (isStopped?.()) throw new StoppedError();
}
