import { afterEach, expect, test, vi } from "vitest";
import { askingHost } from "./engine.ts";

afterEach(() => vi.unstubAllEnvs());

test("each package is asked for once, and an answer holds", async () => {
  const questions: string[] = [];
  const host = askingHost({
    ask: async (question) => {
      questions.push(question);
      return !question.includes("libtorch-dev");
    },
  });
  expect(await host.mayInstall(["cmake", "g++"])).toBeUndefined();
  expect(await host.mayInstall(["g++"])).toBeUndefined();
  expect(await host.mayInstall(["libtorch-dev", "cmake"])).toBe("not agreed to");
  expect(await host.mayInstall(["libtorch-dev"])).toBe("not agreed to");
  expect(questions).toEqual(["Install cmake, g++? [Y/n] ", "Install libtorch-dev? [Y/n] "]);
});

test("THAW_NO_INSTALL forbids it without a question", async () => {
  vi.stubEnv("THAW_NO_INSTALL", "1");
  const ask = vi.fn(async () => true);
  expect(await askingHost({ ask }).mayInstall(["cmake"])).toBe("THAW_NO_INSTALL is set");
  expect(ask).not.toHaveBeenCalled();
});

test("where nobody sits at a terminal, nothing is asked", async () => {
  expect(process.stdin.isTTY).not.toBe(true);
  expect(await askingHost().mayInstall(["cmake"])).toBeUndefined();
});
