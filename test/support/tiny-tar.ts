/** Tar archives made by hand, so that a test can also say what no honest program would write. */
export interface TarEntry {
  readonly path: string;
  readonly bytes?: Uint8Array;
  /** ustar's type flag: "0" a file, "1" a hard link, "2" a symbolic link, "5" a folder. */
  readonly type?: string;
  readonly link?: string;
  /** What the header claims, if not the truth. */
  readonly claimedSize?: number;
}

export function tinyTar(entries: readonly TarEntry[]): Buffer {
  return Buffer.concat([...entries.flatMap(blocks), Buffer.alloc(1024)]);
}

function blocks({ path, bytes = new Uint8Array(), type = "0", link = "", claimedSize }: TarEntry) {
  const header = Buffer.alloc(512);
  header.write(path, 0, 100);
  header.write("0000644\0", 100);
  header.write("0000000\0", 108);
  header.write("0000000\0", 116);
  header.write(`${(claimedSize ?? bytes.length).toString(8).padStart(11, "0")} `, 124);
  header.write("00000000000 ", 136);
  header.write("        ", 148);
  header.write(type, 156);
  header.write(link, 157, 100);
  header.write("ustar\0" + "00", 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  const padding = Buffer.alloc((512 - (bytes.length % 512)) % 512);
  return [header, Buffer.from(bytes), padding];
}
