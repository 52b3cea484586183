import { z } from "zod";
import { trainConfigSchema } from "./config.ts";

/** The part of JSON Schema that the config uses. */
interface SchemaNode {
  /** Absent of a choice between a word and a list, `anyOf`. */
  readonly type?: "string" | "integer" | "number" | "boolean" | "array" | "object";
  readonly anyOf?: readonly SchemaNode[];
  readonly const?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly minItems?: number;
  readonly items?: SchemaNode | false;
  readonly prefixItems?: readonly SchemaNode[];
  /** Of a group whose keys are names of the user's. */
  readonly additionalProperties?: SchemaNode | false;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
}

/** One value of the config: where it stands in the document and what it may be. */
export interface ConfigField {
  /** `["augment", "crop"]` stands as `augment: {crop: …}` in YAML and as `--augment-crop` on the command line. */
  readonly path: readonly string[];
  readonly type: "string" | "integer" | "number" | "boolean" | "strings" | "numbers";
  readonly choices: readonly string[] | undefined;
  /** A list of numbers may also be written with a name for each: `bee=1,ant=50`. */
  readonly isNamed: boolean;
  readonly description: string;
  /** Undefined where the default depends on other keys or there is none. */
  readonly defaultValue: unknown;
  /** In words, as `a whole number of at least 1`. */
  readonly allowed: string;
}

/** Every value of a config, by default a network's, in the schema's order; groups are opened. */
export function configFields(schema: z.ZodType = trainConfigSchema): readonly ConfigField[] {
  return fieldsOf(z.toJSONSchema(schema, { io: "input" }) as unknown as SchemaNode, []);
}

function fieldsOf(node: SchemaNode, at: readonly string[]): ConfigField[] {
  return Object.entries(node.properties ?? {}).flatMap(([key, child]) => {
    const path = [...at, key];
    if (child.type === "object") return fieldsOf(child, path);
    return [
      {
        path,
        type: fieldType(child),
        choices: child.enum ?? wordsOf(child),
        isNamed: child.anyOf?.some(isByName) ?? false,
        description: child.description ?? "",
        defaultValue: child.default,
        allowed: allowed(child),
      },
    ];
  });
}

function isByName({ additionalProperties }: SchemaNode): boolean {
  return typeof additionalProperties === "object";
}

/** The words that may stand for a list. */
function wordsOf({ anyOf }: SchemaNode): readonly string[] | undefined {
  return anyOf?.flatMap(({ const: word }) => word ?? []);
}

function fieldType(node: SchemaNode): ConfigField["type"] {
  const list = node.anyOf?.find(({ type }) => type === "array");
  if (list !== undefined) return fieldType(list);
  if (node.type === "array") return itemsOf(node).type === "string" ? "strings" : "numbers";
  return node.type as ConfigField["type"];
}

/** What every item of a list is. */
function itemsOf({ prefixItems, items }: SchemaNode): SchemaNode {
  return prefixItems?.[0] ?? (items as SchemaNode);
}

function allowed(node: SchemaNode): string {
  if (node.enum !== undefined) return `one of ${node.enum.join(", ")}`;
  if (node.anyOf !== undefined) return node.anyOf.map(allowed).join(", or ");
  if (node.const !== undefined) return node.const;
  switch (node.type) {
    case "integer":
      return `a whole number${range(node)}`;
    case "number":
      return `a number${range(node)}`;
    case "boolean":
      return "true or false";
    case "array": {
      const items = itemsOf(node);
      if (items.type === "string") return `a list of at least ${node.minItems ?? 0} texts`;
      const count = node.prefixItems?.length ?? `at least ${node.minItems ?? 0}`;
      return `a list of ${count}, each ${allowed(items)}`;
    }
    case "object": {
      const { additionalProperties: values } = node;
      return typeof values === "object" ? `by name, each ${allowed(values)}` : "a group of keys";
    }
    default:
      return node.pattern === undefined
        ? "a text that is not empty"
        : "letters, digits, dots, dashes and underscores";
  }
}

function range({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: SchemaNode): string {
  const limits: string[] = [];
  if (minimum !== undefined && minimum > Number.MIN_SAFE_INTEGER)
    limits.push(`at least ${minimum}`);
  if (exclusiveMinimum !== undefined) limits.push(`above ${exclusiveMinimum}`);
  if (maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER) limits.push(`at most ${maximum}`);
  if (exclusiveMaximum !== undefined) limits.push(`below ${exclusiveMaximum}`);
  return limits.length === 0 ? "" : ` ${limits.join(" and ")}`;
}
