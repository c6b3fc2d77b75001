/** Packets that are not what they say, for tests: `forge.c`, compiled into a temporary folder before the tests that use it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { inNetns } from '../../../lab/processes/netns.ts';
import { run } from '../command.ts';

/** A warning is an error: the program makes packets by hand. */
const COMPILE = ['cc', '-std=c11', '-O2', '-Wall', '-Wextra', '-Werror'];

/** The exit code where the kernel refused to send: a drop on the way out may show as an error of the system call. */
const REFUSED = 1;

/** Runs `forge` in a network namespace. @returns whether the kernel took the packet */
export type Forge = (netns: string, ...args: readonly (string | number)[]) => Promise<boolean>;

/** The program for all tests of a file or `describe`: compiled before them, gone after them. */
export function useForge(): Forge {
  let folder = '';
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-forge-'));
    await run([...COMPILE, '-o', join(folder, 'forge'), join(import.meta.dirname, 'forge.c')]);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return (netns, ...args) =>
    run(inNetns(netns, [join(folder, 'forge'), ...args.map(String)])).then(
      () => true,
      (error: { code?: number; stderr?: string }) => {
        if (error.code === REFUSED) return false;
        throw error;
      },
    );
}
