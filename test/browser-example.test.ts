import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { expect, test } from "vitest";
import { exportRun, listImages, openFile, predictFiles } from "../src/export/index.ts";
import { chromiumPath, noChromium } from "./support/chromium.ts";
import { photographRuns } from "./support/photograph-runs.ts";
import { writeTiny } from "./support/tiny-images.ts";

const executablePath = chromiumPath();
test("examples/browser labels a picture as thaw predict does", async ({ skip }) => {
  skip(executablePath === undefined, noChromium);
  const made = await photographRuns();
  const folder = mkdtempSync(join(tmpdir(), "thaw-browser-"));
  const { run } = await made.trained();
  const options = { cache: made.cache, withPreprocessing: true } as const;
  const { folder: exported } = await exportRun(run.dir, made.data, options);
  const file = join(exported, "model.onnx");
  // Of any size: the file resizes it.
  const picture = join(folder, "picture.png");
  await writeTiny(picture, { seed: 5, width: 97, height: 61 });
  const { serveModel } = await import("../examples/browser/serve.mjs");
  const server = await serveModel(file);
  const browser = await chromium.launch({
    executablePath: executablePath!,
    args: ["--no-sandbox"],
  });
  try {
    const page = await browser.newPage();
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(error.message));
    await page.goto(server.url);
    await page.waitForSelector("body[data-ready]");
    expect(await page.textContent("#status")).toBe("resnet20_cifar, 2 classes");
    await page.setInputFiles("#file", picture);
    await page.waitForSelector("#answer tr");
    const cells = await page.locator("#answer td").allTextContents();
    await using predictor = await openFile(file);
    for await (const answer of predictFiles(predictor, listImages([picture], process.stdin))) {
      if ("error" in answer) throw new Error(answer.error);
      expect(cells.filter((_, i) => i % 2 === 0)).toEqual(answer.top.map(({ label }) => label));
      const share = Number.parseFloat(cells[1]!) / 100;
      expect(Math.abs(share - answer.top[0]!.probability)).toBeLessThan(1e-3);
    }
    // The same picture dropped.
    await page.evaluate("document.getElementById('answer').replaceChildren()");
    const bytes = readFileSync(picture).toString("base64");
    const transfer = await page.evaluateHandle(`(() => {
        const bytes = Uint8Array.from(atob("${bytes}"), (c) => c.charCodeAt(0));
        const transfer = new DataTransfer();
        transfer.items.add(new File([bytes], "picture.png", { type: "image/png" }));
        return transfer;
      })()`);
    await page.dispatchEvent("#drop", "drop", { dataTransfer: transfer });
    await page.waitForSelector("#answer tr");
    expect(await page.locator("#answer td").allTextContents()).toEqual(cells);
    // What is no picture is told, and the page goes on.
    await page.setInputFiles("#file", {
      name: "x.png",
      mimeType: "image/png",
      buffer: Buffer.from("no"),
    });
    await page.waitForFunction(
      "document.getElementById('status').textContent.includes('no picture')",
    );
    expect(errors).toEqual([]);
  } finally {
    await browser.close();
    server.close();
    rmSync(folder, { recursive: true });
    rmSync(made.folder, { recursive: true });
  }
});
