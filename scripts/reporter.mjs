// A Vitest reporter that only counts: scripts/test.mjs prints the closing line from its file.
import { writeFileSync } from "node:fs";

export default class Counter {
  onTestRunEnd(modules, unhandledErrors) {
    const counts = { passed: 0, failed: 0, skipped: 0, reasons: [] };
    for (const module of modules) {
      // A file that cannot be loaded has no tests to count, and is a failure all the same.
      counts.failed += module.errors().length;
      for (const test of module.children.allTests()) {
        const { state, note } = test.result();
        if (state === "passed" || state === "failed") counts[state] += 1;
        else {
          counts.skipped += 1;
          counts.reasons.push(
            `${module.relativeModuleId}: ${test.fullName}: ${note ?? "no reason given"}`,
          );
        }
      }
    }
    counts.failed += unhandledErrors.length;
    writeFileSync(process.env.THAW_TEST_COUNTS, JSON.stringify(counts));
  }
}
