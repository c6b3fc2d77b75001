/** C programs of tests, compiled into a temporary folder before the tests that use them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { run } from '../command.ts';

/** A warning is an error. */
const COMPILE = ['cc', '-std=c11', '-O2', '-Wall', '-Wextra', '-Werror'];

/**
 * A program of this folder for all tests of a file or `describe`: compiled before them, gone after them.
 * @param name without `.c`
 * @returns gives its path
 */
export function useCompiled(name: string, flags: readonly string[] = []): () => string {
  let folder = '';
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), `sluice-${name}-`));
    await run([...COMPILE, ...flags, '-o', join(folder, name), join(import.meta.dirname, `${name}.c`)]);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return () => join(folder, name);
}
