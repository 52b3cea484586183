import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { installedVersions, torchOf } from "../scripts/libtorch-versions.mjs";
import { networks, quickArgs } from "./harness/networks.mjs";
import { repository } from "./harness/sides.mjs";

export const name = "engines";
export const summary =
  "ours on every libtorch that `npm run test:libtorch` has installed, against ours on the system's";

/** Versions in order, each with what chooses it. */
const engines = installedVersions().map((version) => [
  version,
  { THAW_LIBTORCH: torchOf(version) },
]);
const SYSTEM = "system";

export const notes =
  engines.length > 0
    ? []
    : ["no other libtorch is installed: npm run test:libtorch -- 2.15.0 installs one"];

const kinds = {
  train: { script: "bench/ours/train-network.mjs", own: "trainArgs", quick: ["--steps", "1"] },
  frozen: { script: "bench/ours/frozen-forward.mjs", own: "frozenArgs", quick: ["--passes", "1"] },
};

/** @type {Readonly<Record<string, import("./harness/sides.mjs").Side>>} */
export const sides = Object.fromEntries(
  [[SYSTEM, { THAW_LIBTORCH: "/usr" }], ...engines].flatMap(([version, env]) =>
    Object.entries(networks).flatMap(([network, settings]) =>
      Object.entries(kinds).map(([kind, { script, own, quick }]) => [
        `${version} ${network}-${kind}`,
        {
          runtime: "node",
          script,
          env,
          args: ["--model", settings.model, ...settings.args, ...settings[own]],
          quickArgs: [...quickArgs, ...quick],
        },
      ]),
    ),
  ),
);

/** Compiles the addon for each engine before anything is measured. */
export function prepare(usedSides) {
  for (const torch of new Set(usedSides.map(({ env }) => env.THAW_LIBTORCH))) {
    spawnSync(process.execPath, [join(repository, "dist/cli/main.js"), "setup", "--quiet"], {
      env: { ...process.env, THAW_LIBTORCH: torch },
      stdio: ["ignore", "inherit", "inherit"],
    });
  }
}

/** @type {readonly (import("./harness/figures.mjs").Figure & {summary: string})[]} */
export const figures = engines.flatMap(([version]) =>
  Object.keys(networks).flatMap((network) =>
    Object.keys(kinds).map((kind) => ({
      name: `${network}-${kind}-${version}`,
      summary: `libtorch ${version} against the system's`,
      ours: `${version} ${network}-${kind}`,
      peer: `${SYSTEM} ${network}-${kind}`,
      metric: "imagesPerSecond",
      unit: "img/s",
      goal: { of: "ratio", atLeast: 0.95 },
    })),
  ),
);
