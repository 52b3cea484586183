import { installExtras } from "../../libtorch/extras.ts";
import { cacheHome } from "../../libtorch/home.ts";
import { thisHost } from "../../libtorch/host.ts";
import { prepareNative } from "../../libtorch/prepare.ts";
import type { CliCommand } from "../command.ts";
import { printJson, say } from "../output.ts";

export const setup: CliCommand = {
  register(command) {
    command
      .option("--force", "look for libtorch again and try the addon again, whatever is remembered")
      .option("--quiet", "say only what is being done, nothing when all is done already")
      .option("--json", "print what is in use as JSON")
      .action(async (options: { force?: true; quiet?: true; json?: true }) => {
        const host = thisHost();
        const cache = cacheHome();
        const force = options.force === true;
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
