import { say } from "./output.ts";

/** How far a file is, in bytes; `total` is undefined where nobody knows it. */
interface Fetched {
  readonly file: string;
  readonly received: number;
  readonly total?: number | undefined;
}

/** Tells of downloads on stderr, a line every tenth. */
export function fetchingProgress(): (progress: Fetched) => void {
  let told = "";
  return ({ file, received, total }) => {
    const share = total ? Math.floor((10 * received) / total) * 10 : 0;
    const line = `fetching ${file}: ${share} %`;
    if (line !== told) say(line);
    told = line;
  };
}
