/** Builds the drivers in C with the addon's sources that know nothing of Node. */
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
  build(['relay_driver', 'refusals'], output, [...flags, '-Wl,--wrap=splice,--wrap=epoll_wait']);
}

/** The same for `destroy_driver.c`. */
export function buildDestroyDriver(output: string, flags: readonly string[]): void {
  build(['destroy_driver'], output, flags);
}

function build(sources: readonly string[], output: string, flags: readonly string[]): void {
  const own = sources.map((name) => join(import.meta.dirname, `${name}.c`));
  const native = readdirSync(NATIVE)
    .filter((name) => name.endsWith('.c'))
    .map((name) => join(NATIVE, name))
    .filter((path) => !readFileSync(path, 'utf8').includes('#include "addon.h"'));
  execFileSync('cc', ['-std=c11', '-pthread', ...flags, '-I', NATIVE, '-o', output, ...own, ...native]);
}
