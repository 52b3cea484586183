import { z } from "zod";

const name = () => z.string().min(1).optional();

/** Keys of a config that say how `data` is read where it is a CSV. */
export const csvKeys = {
  pathColumn: name().describe("CSV: column of the image paths; default: recognised by its name"),
  labelColumn: name().describe("CSV: column of the labels; default: recognised by its name"),
  splitColumn: name().describe("CSV: column of the splits (train, val, test); default split"),
  imageFolder: name().describe("CSV: folder that the paths are relative to; default the CSV's own"),
};
