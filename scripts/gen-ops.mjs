// Writes src/tensor/ops.gen.ts: a typed function for each operator of scripts/ops.json, from the
// schemas of the dispatcher. Run it with the oldest libtorch that is supported (1.13): newer ones
// only add arguments at the end.
import { readFileSync, writeFileSync } from "node:fs";
import { loadNative } from "../dist/libtorch/load.js";

const native = loadNative();
const groups = JSON.parse(readFileSync(new URL("ops.json", import.meta.url), "utf8"));

// The order of `enum class Kind` in native/convert.h.
const kinds = [
  "Tensor",
  "number | bigint",
  "number",
  "boolean",
  "Scalar",
  "string",
  "Device",
  "DType",
  '"strided"',
  "MemoryFormat",
  "Generator",
  "readonly Tensor[]",
  "readonly (Tensor | null)[]",
  "readonly number[]",
  "readonly number[]",
  "readonly boolean[]",
  "readonly Scalar[]",
];
const TENSOR = 0;
const GENERATOR = 10;
const TENSOR_LIST = 11;
const OPTIONAL_TENSOR_LIST = 12;
const INT_LIST = 13;
const BOOL_LIST = 15;

const camel = (name) => name.replace(/(?<=[a-z0-9])_+([a-z0-9])/gi, (_, c) => c.toUpperCase());

// Overloads of which only one is a facade, under the plain name.
const names = {
  "pow.Tensor_Scalar": "pow",
  "sum.dim_IntList": "sumDim",
  "norm.Scalar": "norm",
  "norm.ScalarOpt_dim": "normDim",
  "arange.start_step": "arange",
  "random_.from": "random_",
  "repeat_interleave.self_int": "repeatInterleave",
  "conv_transpose2d.input": "convTranspose2d",
};

/** `add.Tensor` → `add`, `add.Scalar` → `addScalar`, `_foreach_add_.List` → `foreachAdd_List`. */
function facadeName(schemaName) {
  if (names[schemaName] !== undefined) return names[schemaName];
  const [base, overload] = schemaName.split("::").at(-1).split(".");
  const plain = ["Tensor", "int", "self", "generator", "memory_format", "using_ints", "float"];
  const stem = camel(base.replace(/^_+/, ""));
  const suffix = overload === undefined || plain.includes(overload) ? "" : overload;
  const tail = camel(suffix.replace(/_/g, " ").replace(/ (\w)/g, (_, c) => c.toUpperCase()));
  return stem + tail.charAt(0).toUpperCase() + tail.slice(1);
}

function typeOf(argument) {
  const type = kinds[argument.kind];
  if (type === undefined)
    throw new Error(`${argument.name}: ${argument.type} has no TypeScript type`);
  const single =
    argument.fixedLength > 0 && argument.kind === INT_LIST
      ? "number | readonly number[]"
      : argument.fixedLength > 0 && argument.kind === BOOL_LIST
        ? "boolean | readonly boolean[]"
        : type;
  return argument.optional ? `${single} | null` : single;
}

function passed(argument, expression) {
  if (argument.kind === TENSOR || argument.kind === GENERATOR) {
    return argument.optional || argument.hasDefault
      ? `handleOf(${expression})`
      : `${expression}.handle`;
  }
  if (argument.kind === TENSOR_LIST) return `handlesOf(${expression})`;
  if (argument.kind === OPTIONAL_TENSOR_LIST) return `handlesOf(${expression})`;
  return expression;
}

function returned(schema, positional) {
  const fresh = schema.returns.filter((value) => !value.written);
  if (schema.returns.length === 0) return { type: "void", body: (call) => `  ${call};` };
  if (fresh.length === 0) {
    const written = schema.arguments.filter((argument) => argument.written);
    const names = written.map((argument) =>
      positional.includes(argument) ? camel(argument.name) : `options.${camel(argument.name)}`,
    );
    return names.length === 1
      ? { type: "Tensor", body: (call) => `  ${call};\n  return ${names[0]};` }
      : {
          type: `[${names.map(() => "Tensor").join(", ")}]`,
          body: (call) => `  ${call};\n  return [${names.join(", ")}];`,
        };
  }
  if (fresh.length !== schema.returns.length) throw new Error("mixed results");
  const types = { Tensor: "Tensor", "Tensor[]": "Tensor[]", bool: "boolean", int: "number" };
  const tsTypes = fresh.map((value) => {
    const type = types[value.type] ?? (value.type === "List[Tensor]" ? "Tensor[]" : undefined);
    if (type === undefined) throw new Error(`a result of type ${value.type}`);
    return type;
  });
  const wrap = {
    Tensor: "one",
    "Tensor[]": "many",
    boolean: "plain<boolean>",
    number: "plain<number>",
  };
  if (fresh.length === 1) {
    return { type: tsTypes[0], body: (call) => `  return ${wrap[tsTypes[0]]}(${call});` };
  }
  return {
    type: `[${tsTypes.join(", ")}]`,
    body: (call) =>
      `  const results = ${call} as unknown[];\n  return [${tsTypes
        .map((type, i) => `${wrap[type]}(results[${i}])`)
        .join(", ")}];`,
  };
}

function facade(schemaName) {
  const full = schemaName.includes("::") ? schemaName : `aten::${schemaName}`;
  const schema = native.schema(full);
  const positional = schema.arguments.filter((a) => !a.kwargOnly && !a.hasDefault);
  const named = schema.arguments.filter((a) => !positional.includes(a));
  const requiredNamed = named.some((a) => !a.hasDefault);
  const parameters = positional.map((a) => `${camel(a.name)}: ${typeOf(a)}`);
  if (named.length > 0) {
    const fields = named.map(
      (a) =>
        `${camel(a.name)}${a.hasDefault ? "?" : ""}: ${typeOf(a)}${a.hasDefault ? " | undefined" : ""}`,
    );
    parameters.push(`options: { ${fields.join("; ")} }${requiredNamed ? "" : " = {}"}`);
  }
  const values = schema.arguments.map((a) =>
    passed(a, positional.includes(a) ? camel(a.name) : `options.${camel(a.name)}`),
  );
  const name = facadeName(schemaName);
  const { type, body } = returned(schema, positional);
  const call = `engine().call(${[`${name}Operator.index`, ...values].join(", ")})`;
  return [
    `const ${name}Operator = new Operator("${full}");`,
    `/** \`${schema.text}\` */`,
    `export function ${name}(${parameters.join(", ")}): ${type} {`,
    body(call),
    "}",
  ].join("\n");
}

const sections = Object.entries(groups).map(
  ([group, names]) => `// ${group}\n\n${names.map(facade).join("\n\n")}`,
);
writeFileSync(
  new URL("../src/tensor/ops.gen.ts", import.meta.url),
  `// Made by \`npm run gen:ops\` from the schemas of libtorch ${native.version().libtorch}; not edited by hand.
import type { Device, MemoryFormat } from "./device.ts";
import type { DType } from "./dtype.ts";
import { engine, Operator } from "./engine.ts";
import type { Generator } from "./generator.ts";
import { Tensor } from "./tensor.ts";

type Scalar = number | bigint | boolean;

const handleOf = (value: Tensor | Generator | null | undefined): number | null | undefined =>
  value === null ? null : value?.handle;
const handlesOf = (
  values: readonly (Tensor | null)[] | null | undefined,
): (number | null)[] | null | undefined =>
  values?.map((value) => (value === null ? null : value.handle)) ?? (values as null | undefined);
const one = (handle: unknown): Tensor => new Tensor(handle as number);
const many = (handles: unknown): Tensor[] => (handles as number[]).map((handle) => new Tensor(handle));
const plain = <T>(value: unknown): T => value as T;

${sections.join("\n\n")}
`,
);
console.log(`src/tensor/ops.gen.ts: ${Object.values(groups).flat().length} operators`);
