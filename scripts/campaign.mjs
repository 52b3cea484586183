// Runs the long forms of tests that `npm test` runs in a short form, because they take minutes: every recipe's short form,
// and fifty kills of a training. `npm run campaign`
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const { status } = spawnSync("npm", ["test", "--", "test/recipes.test.ts", "test/kill.test.ts"], {
  cwd: fileURLToPath(new URL("..", import.meta.url)),
  env: { ...process.env, THAW_CAMPAIGN: "1" },
  stdio: "inherit",
});
process.exitCode = status ?? 1;
