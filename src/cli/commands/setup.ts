import { installExtras } from "../../libtorch/extras.ts";
import { cacheHome } from "../../libtorch/home.ts";
import { thisHost } from "../../libtorch/host.ts";
import { missingPackages, prepareNative } from "../../libtorch/prepare.ts";
import type { CliCommand } from "../command.ts";
import { askingHost } from "../engine.ts";
import { printJson, say } from "../output.ts";

interface Options {
  readonly force?: true;
  readonly yes?: true;
  readonly quiet?: true;
  readonly json?: true;
}

export const setup: CliCommand = {
  register(command) {
    command
      .option("--force", "look for libtorch again and try the addon again, whatever is remembered")
      .option("--yes", "install missing packages of the system without asking")
      .option("--quiet", "say only what is being done, nothing when all is done already")
      .option("--json", "print what is in use as JSON")
      .addHelpText(
        "after",
        "\nMissing packages of the system are installed by apt-get, after a question if a person is at the terminal.\nTHAW_NO_INSTALL=1: nothing is installed.",
      )
      .action(async (options: Options) => {
        const host = options.yes ? thisHost() : askingHost();
        const cache = cacheHome();
        const force = options.force === true;
        if (!options.yes) {
          // One question for all of them instead of one for each.
          const missing = await missingPackages(host, cache);
          if (missing.length > 0) await host.mayInstall(missing);
        }
        const stamp = await prepareNative({ host, cache, log: say, force });
        await installExtras(host, cache, say, force);
        const { addon, libtorch } = stamp;
        if (options.json) printJson({ libtorch, addon });
        else if (!options.quiet) {
          say(`ready: libtorch ${libtorch.version} at ${libtorch.root}, addon ${addon.file}`);
        }
      });
  },
};
