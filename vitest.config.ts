import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    // Each file its own process: the addon owns threads and a process-wide allocator.
    pool: "forks",
    // One OpenMP thread a process: teams that spin for each other's cores are many times slower.
    maxWorkers: 3,
    env: { OMP_NUM_THREADS: "1" },
    setupFiles: ["test/support/equal-arrays.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
