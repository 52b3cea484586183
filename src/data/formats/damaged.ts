import { ThawError } from "../../errors.ts";

/** The bytes of a file are not what its format or its checksum demands. */
export class DamagedFileError extends ThawError {}
