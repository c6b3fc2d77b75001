/** `npm run pack`: makes dist-cli/, the commands as a package of one file. See scripts/cli_package/cli_package.ts. */
import { join } from 'node:path';
import { packageCli } from './cli_package/cli_package.ts';

const { bytes } = await packageCli(join(import.meta.dirname, '../dist-cli'));
process.stdout.write(`dist-cli/sluice.mjs ${Math.ceil(bytes / 1024)} kB\n`);
