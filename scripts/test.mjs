// Runs Vitest with the arguments given (`npm test -- src/nn`); the last line is "N passed, N failed".
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "thaw-test-"));
const file = join(folder, "counts.json");
const args = ["run", "--reporter=default", `--reporter=${join(root, "scripts/reporter.mjs")}`];
const vitest = join(root, "node_modules/vitest/vitest.mjs");
const result = spawnSync(process.execPath, [vitest, ...args, ...process.argv.slice(2)], {
  cwd: root,
  stdio: "inherit",
  env: { ...process.env, THAW_TEST_COUNTS: file },
});
const counts = existsSync(file)
  ? JSON.parse(readFileSync(file, "utf8"))
  : { passed: 0, failed: 1, skipped: 0, reasons: [] };
rmSync(folder, { recursive: true });
for (const reason of counts.reasons) console.log(`skipped: ${reason}`);
const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : "";
console.log(`${counts.passed} passed, ${counts.failed} failed${skipped}`);
process.exitCode = result.status || (counts.failed > 0 ? 1 : 0);
