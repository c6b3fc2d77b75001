/** Files of cases for tests. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from '../../../builders/cli_manifests.ts';

/** Writes a file that is gone when the test is over. @returns its path */
export function caseFile(text: string, name = 'cases.yaml'): string {
  const file = join(temporaryDirectory(), name);
  writeFileSync(file, text);
  return file;
}
