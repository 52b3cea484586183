import { ThawError } from "../../../errors.ts";

/** The server refused a request, or asks for what is not done: asking again will not help. */
export class MlflowRefusal extends ThawError {
  readonly code: string;

  constructor(message: string, code: string) {
    super(message);
    this.code = code;
  }
}
