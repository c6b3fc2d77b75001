/**
 * Checks that every `switch` of the programs says what happens where no case fits: `default: return unreachable(x)` over a
 * union, of which the compiler then knows when a case is missing. Biome's `useExhaustiveSwitchCases` sees most of them, but not
 * through every type.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { programFiles } from './rooms/files.ts';
import { openSwitches } from './switches/open_switches.ts';

const ROOT = join(import.meta.dirname, '..');

for (const file of programFiles(ROOT)) {
  for (const line of openSwitches(readFileSync(join(ROOT, file), 'utf8'))) {
    process.stderr.write(`${file}:${line}: a switch without default; over a union: return unreachable(x)\n`);
    process.exitCode = 1;
  }
}
