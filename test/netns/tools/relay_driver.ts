/** Builds `relay_driver.c` with the relay's own sources: those of native/ that know nothing of Node. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const NATIVE = join(import.meta.dirname, '../../../native');

/**
 * @param output path of the program
 * @param flags of the compiler, beside what the program needs
 * @throws Error with the compiler's output
 */
export function buildRelayDriver(output: string, flags: readonly string[]): void {
  const own = ['relay_driver', 'refusals'].map((name) => join(import.meta.dirname, `${name}.c`));
  const relay = readdirSync(NATIVE)
    .filter((name) => name.endsWith('.c'))
    .map((name) => join(NATIVE, name))
    .filter((path) => !readFileSync(path, 'utf8').includes('#include "addon.h"'));
  const link = ['-Wl,--wrap=splice,--wrap=epoll_wait', '-o', output];
  execFileSync('cc', ['-std=c11', '-pthread', ...flags, '-I', NATIVE, ...link, ...own, ...relay]);
}
