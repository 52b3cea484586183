import { z } from "zod";

const name = () => z.string().min(1).optional();

/** Keys of a config that say how `data` is read where it is a CSV. */
export const csvKeys = {
  pathColumn: name().describe("of a CSV: column of the images' paths; default by its name"),
  labelColumn: name().describe("of a CSV: column of the classes; default by its name"),
  splitColumn: name().describe("of a CSV: column of train, val and test; default split"),
  imageFolder: name().describe("of a CSV: folder that the paths are from; default the CSV's own"),
};
