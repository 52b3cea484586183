import { nearest, UsageError } from "../errors.ts";
import { onlyWith, type TrainConfigKey } from "./config.ts";
import { type ConfigField, configFields } from "./config-fields.ts";

/** A flag of `thaw train`, ready for commander. */
export interface ConfigFlag extends ConfigField {
  /** `--batch-size`. */
  readonly flag: string;
  /** commander's first argument: `--batch-size <number>`, or `--nesterov` for a yes-or-no. */
  readonly usage: string;
  /** `--no-nesterov` for a yes-or-no; register it too, without a default. */
  readonly negation: string | undefined;
  /** The name commander gives the parsed value: `batchSize`, `augmentCrop`. */
  readonly attribute: string;
  /** Description with default and choices. */
  readonly help: string;
  /** Text of the command line → value. @throws UsageError that says what is allowed. */
  readonly parse: (text: string) => unknown;
}

/** One flag for every value of the config, in the schema's order. */
export function configFlags(fields = configFields()): readonly ConfigFlag[] {
  return fields.map((field) => {
    const flag = flagOf(field.path);
    const isSwitch = field.type === "boolean";
    return {
      ...field,
      flag,
      usage: isSwitch ? flag : `${flag} <${placeholder(field)}>`,
      negation: isSwitch ? flag.replace("--", "--no-") : undefined,
      attribute: field.path.map((part, i) => (i === 0 ? part : capital(part))).join(""),
      help: help(field),
      parse: (text: string) => parseFlag(flag, field, text),
    };
  });
}

/** The values that were given on the command line, as a document to lay over the config file. */
export function overridesFromFlags(
  options: Readonly<Record<string, unknown>>,
  flags = configFlags(),
): Record<string, unknown> {
  const document: Record<string, unknown> = {};
  for (const { attribute, path } of flags) {
    const value = options[attribute];
    if (value === undefined) continue;
    const [key, inner] = path as [string, string | undefined];
    if (inner === undefined) document[key] = value;
    else document[key] = { ...(document[key] as object | undefined), [inner]: value };
  }
  return document;
}

/** `["augment", "crop"]` → `--augment-crop`. */
export function flagOf(path: readonly string[]): string {
  const words = path.map((part) => part.replaceAll(/(?<!^)[A-Z]/g, (c) => `-${c.toLowerCase()}`));
  return `--${words.join("-")}`;
}

function parseFlag(
  flag: string,
  { type, choices, isNamed, allowed }: ConfigField,
  text: string,
): unknown {
  const refuse = (hint: string | undefined) =>
    new UsageError(
      `${flag}: ${JSON.stringify(text)} given; allowed: ${allowed}`,
      hint === undefined ? {} : { hint },
    );
  const number = (part: string): number => {
    // Number("") is 0 and Number("0x10") is 16: neither is meant.
    if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(part.trim())) throw refuse(undefined);
    return Number(part);
  };
  switch (type) {
    case "integer":
    case "number":
      return number(text);
    case "numbers":
      if (choices?.includes(text)) return text;
      if (isNamed && text.includes("=")) return namedNumbers(flag, text, number);
      return text.split(",").map(number);
    case "strings":
      return text.split(",").map((part) => part.trim());
    case "boolean":
      if (text === "true" || text === "false") return text === "true";
      throw refuse(undefined);
    case "string": {
      if (choices === undefined || choices.includes(text)) return text;
      const near = nearest(text, choices);
      throw refuse(near === undefined ? undefined : `Did you mean ${near}?`);
    }
  }
}

/** `bee=1,ant=50`. Names may hold commas and `=`: a part without a number belongs to the name after it. */
function namedNumbers(
  flag: string,
  text: string,
  number: (part: string) => number,
): Record<string, number> {
  const values = new Map<string, number>();
  let begun = "";
  for (const part of text.split(",")) {
    const at = part.lastIndexOf("=");
    if (at < 0) {
      begun += `${part},`;
      continue;
    }
    const name = (begun + part.slice(0, at)).trim();
    begun = "";
    if (name === "") throw new UsageError(`${flag}: ${JSON.stringify(part)} has no name before =`);
    if (values.has(name)) throw new UsageError(`${flag}: ${name} is named twice`);
    values.set(name, number(part.slice(at + 1)));
  }
  if (begun !== "") {
    throw new UsageError(`${flag}: ${JSON.stringify(begun.slice(0, -1))} has no value`, {
      hint: "give every name a value (bee=1,ant=50), or only values (1,50)",
    });
  }
  return Object.fromEntries(values);
}

function placeholder({ type, choices }: ConfigField): string {
  if (choices !== undefined && type === "string") return "name";
  return {
    string: "text",
    integer: "n",
    number: "number",
    boolean: "",
    strings: "a,b",
    numbers: "x,y",
  }[type];
}

function help({ description, choices, defaultValue, path }: ConfigField): string {
  const notes: string[] = [];
  if (choices !== undefined && choices.length > 1) notes.push(choices.join("|"));
  const applies = path.length === 1 ? onlyWith[path[0] as TrainConfigKey] : undefined;
  if (applies !== undefined) notes.push(`with ${applies.by} ${applies.to.join(", ")}`);
  const value = applies?.fallback ?? defaultValue;
  if (value !== undefined) notes.push(`default ${String(value)}`);
  return notes.length === 0 ? description : `${description} (${notes.join("; ")})`;
}

function capital(word: string): string {
  return word[0]!.toUpperCase() + word.slice(1);
}
