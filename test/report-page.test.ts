import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import { expect, test } from "vitest";
import { compareRuns } from "../src/report/index.ts";
import { chromiumPath, noChromium } from "./support/chromium.ts";
import { writeSampleRun } from "./support/run-records.ts";

/** What a text of a record would have to become for a page to be taken over. */
const injected = [
  "<script>document.body.dataset.injected = 'script'</script>",
  "<script nonce='x'>document.body.dataset.injected = 'nonce'</script>",
  "<img src='data:,' onerror=\"document.body.dataset.injected = 'handler'\">",
  "<a id='link' href=\"javascript:document.body.dataset.injected = 'address'\">x</a>",
  "<style>body { display: none }</style>",
  "<p id='styled' style='display: none'>x</p>",
  "<iframe srcdoc=\"<script>parent.document.body.dataset.injected = 'frame'</script>\"></iframe>",
].join("\n");

test("the report's own script and style count, and no other", async ({ skip }) => {
  const executablePath = chromiumPath();
  skip(executablePath === undefined, noChromium);
  const out = mkdtempSync(join(tmpdir(), "thaw-page-"));
  const browser = await chromium.launch({
    executablePath: executablePath!,
    args: ["--no-sandbox"],
  });
  try {
    for (const [i, model] of ["resnet18", "simple_cnn", "vit_tiny_patch16_224"].entries()) {
      const shape = { images: 400, epochs: 3, skill: 0.7 + 0.1 * i, salt: i };
      writeSampleRun({ out, name: `run-${i}`, model, ...shape, trainSeconds: 30 * (3 - i) });
    }
    const { html } = await compareRuns({ out });
    const page = await browser.newPage();
    const refused: string[] = [];
    page.on("console", (message) => refused.push(message.text()));
    page.on("pageerror", (error) => refused.push(error.message));
    await page.goto(pathToFileURL(html).href);
    // Nothing of the page itself is refused, styles of its plots included.
    expect(refused).toEqual([]);
    const background = "getComputedStyle(document.querySelector('.findings')).borderLeftWidth";
    expect(await page.evaluate(background)).toBe("4px");
    const names = () =>
      page.locator("table").first().locator("tbody td:first-child").allTextContents();
    const before = await names();
    const head = page.locator("table").first().locator("th button", { hasText: "Training" });
    await head.click();
    await head.click();
    expect([...(await names())].sort()).toEqual([...before].sort());
    const sorted = await page.locator("th[aria-sort]").getAttribute("aria-sort");
    expect(sorted).toBe("ascending");
    await page.locator("button.zoom").first().click();
    expect(await page.locator("figure.zoomed").count()).toBe(1);

    // As if the escaping of some text had been forgotten.
    const broken = join(out, "broken.html");
    writeFileSync(broken, readFileSync(html, "utf8").replace("<h2>Runs</h2>", `$&${injected}`));
    await page.goto(pathToFileURL(broken).href);
    await page.locator("#link").click();
    expect(await page.evaluate("document.body.dataset.injected ?? null")).toBe(null);
    expect(await page.evaluate("getComputedStyle(document.body).display")).not.toBe("none");
    expect(await page.locator("#styled").isVisible()).toBe(true);
    expect(refused.length).toBeGreaterThanOrEqual(5);
    expect(refused.every((text) => text.includes("Content Security Policy"))).toBe(true);
    expect(existsSync(html)).toBe(true);
  } finally {
    await browser.close();
    rmSync(out, { recursive: true });
  }
});
