import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { describe, expect, it } from "vitest";

/** A room imports rooms with a smaller number and itself; rooms of one number do not know each other. */
const levels: Readonly<Record<string, number>> = {
  // Below all: every room throws these errors.
  "errors.ts": -1,
  platform: 0,
  libtorch: 1,
  tensor: 2,
  data: 3,
  nn: 3,
  optim: 3,
  metrics: 3,
  collectives: 3,
  models: 4,
  classical: 4,
  transfer: 5,
  run: 5,
  train: 6,
  evaluate: 6,
  profile: 6,
  report: 7,
  export: 7,
  serve: 7,
  recipe: 8,
  cli: 9,
  "index.ts": 9,
};

const longestFile = 400;

const root = resolve(import.meta.dirname, "../src");

interface Source {
  /** From src/, with slashes. */
  readonly path: string;
  readonly text: string;
  /** The folder under src/, or the file where there is none. */
  readonly room: string;
  readonly isTest: boolean;
}

const sources: readonly Source[] = readdirSync(root, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
  .map((entry) => {
    const file = join(entry.parentPath, entry.name);
    const path = slashed(relative(root, file));
    const isTest = path.endsWith(".test.ts");
    return { path, text: readFileSync(file, "utf8"), room: path.split("/")[0]!, isTest };
  });

function slashed(path: string): string {
  return path.split(sep).join("/");
}

/** What stands in quotes in `import … from`, `export … from`, `import "…"`, `import("…")`. */
function specifiers(text: string): string[] {
  const forms = [
    /^(?:import|export)\b[^;"'`]*?\bfrom\s+["']([^"']+)["']/gm,
    /^import\s+["']([^"']+)["']/gm,
    /\bimport\(\s*["']([^"']+)["']/g,
  ];
  return forms.flatMap((form) => [...text.matchAll(form)].map((match) => match[1]!));
}

/** Own files that a source imports, as paths from src/; those outside start with "../". */
function imports({ path, text }: Pick<Source, "path" | "text">): string[] {
  return specifiers(text)
    .filter((specifier) => specifier.startsWith("."))
    .map((specifier) => slashed(relative(root, resolve(root, dirname(path), specifier))));
}

function layerViolations(source: Pick<Source, "path" | "text" | "room">): string[] {
  return imports(source)
    .filter((target) => !target.startsWith("../"))
    .flatMap((target) => {
      const room = target.split("/")[0]!;
      const [from, to] = [levels[source.room], levels[room]];
      if (room === source.room) return [];
      if (from !== undefined && to !== undefined && to < from) return [];
      return [`${source.path} (${source.room} ${from}) imports ${target} (${room} ${to})`];
    });
}

/** Comments and strings blanked out, so that a word in them is not taken for code. */
function code(text: string): string {
  const prose =
    /\/\*[\s\S]*?\*\/|\/\/.*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`/g;
  return text.replace(prose, (found) => (found.startsWith("/") ? "" : '""'));
}

describe("the layers", () => {
  it("have a level for every room in src/", () => {
    const rooms = new Set(sources.map(({ room }) => room));
    expect([...rooms].filter((room) => levels[room] === undefined)).toEqual([]);
  });

  it("are kept: a room imports from smaller numbers only", () => {
    expect(sources.flatMap(layerViolations)).toEqual([]);
  });

  it("would be seen broken, by a static, a type and a dynamic import alike", () => {
    const text = [
      'import { ops } from "../tensor/index.ts";',
      'import type {\n  Module,\n} from "../nn/index.ts";',
      'export { train } from "../train/index.ts";',
      'const cli = await import("../cli/main.ts");',
    ].join("\n");
    expect(layerViolations({ path: "data/x.ts", room: "data", text })).toEqual([
      "data/x.ts (data 3) imports nn/index.ts (nn 3)",
      "data/x.ts (data 3) imports train/index.ts (train 6)",
      "data/x.ts (data 3) imports cli/main.ts (cli 9)",
    ]);
  });

  it("end at src/: only tests import from outside", () => {
    const outside = sources
      .filter(({ isTest }) => !isTest)
      .flatMap((source) =>
        imports(source)
          .filter((target) => target.startsWith("../"))
          .map((target) => `${source.path} imports ${target}`),
      );
    expect(outside).toEqual([]);
  });

  it("do not rest on tests: no source imports a test file", () => {
    const tests = sources.filter((source) =>
      imports(source).some((target) => target.endsWith(".test.ts")),
    );
    expect(tests.map(({ path }) => path)).toEqual([]);
  });
});

describe("the files", () => {
  it("that are called index.ts only re-export", () => {
    const others = sources
      .filter(({ path }) => path.split("/").at(-1) === "index.ts")
      .filter(({ text }) => {
        const rest = code(text).replace(/export\s[^;]*?\bfrom\s+""\s*;/g, "");
        return rest.trim() !== "";
      });
    expect(others.map(({ path }) => path)).toEqual([]);
  });

  it("are named for what is in them", () => {
    const vague = sources.filter(({ path }) =>
      /(?:^|\/)(?:utils?|helpers?|misc|common)\.ts$/.test(path),
    );
    expect(vague.map(({ path }) => path)).toEqual([]);
  });

  it("are not long", () => {
    const long = sources
      .filter(({ path }) => !path.endsWith(".gen.ts"))
      .map(({ path, text }) => ({ path, lines: text.split("\n").length - 1 }))
      .filter(({ lines }) => lines > longestFile);
    expect(long).toEqual([]);
  });

  it("say what type a value has, never any", () => {
    const anyType = /(?:[:<|&=]|\b(?:as|extends|satisfies))\s*any\b|\bany\[\]/;
    const found = sources.filter(({ text }) => anyType.test(code(text)));
    expect(found.map(({ path }) => path)).toEqual([]);
    expect(anyType.test(code("const x = y as any; // z"))).toBe(true);
    expect(anyType.test(code("const x = 1; // as any"))).toBe(false);
  });

  it("print where control characters are written out, and nowhere else", () => {
    const printing = sources.filter(
      ({ text, isTest }) =>
        !isTest && /\bprocess\s*\.\s*std(out|err)\s*\.\s*write\b|\bconsole\s*\./.test(code(text)),
    );
    expect(printing.map(({ path }) => path).sort()).toEqual([
      "cli/commands/predict.ts",
      "cli/output.ts",
      "libtorch/prepare.ts",
    ]);
  });

  it("ask servers by the one client, which bounds what comes", () => {
    const asking = sources.filter(
      ({ text, isTest }) =>
        !isTest &&
        (/(?<![\w.#])fetch\(/.test(code(text)) ||
          /from "node:https?";/.test(text.replaceAll(/^import type .*$/gm, ""))),
    );
    expect(asking.map(({ path }) => path)).toEqual(["platform/http.ts"]);
  });

  it("draw random numbers from a seed", () => {
    const found = sources.filter(({ text }) => /\bMath\s*\.\s*random\b/.test(code(text)));
    expect(found.map(({ path }) => path)).toEqual([]);
  });

  it("export by name", () => {
    const found = sources.filter(({ text }) => /^export\s+default\b/m.test(code(text)));
    expect(found.map(({ path }) => path)).toEqual([]);
  });
});
