/** Which texts are cases: those that have `tests` at their top and are no Kubernetes objects. */
import { SluiceError } from '../../common/errors.ts';
import { isRecord } from '../../common/shape.ts';
import { type ManifestFile, splitDocuments } from '../../sources/index.ts';

/** A file of cases, bytes. A case is a line; ten thousand of them are less. */
export const MAX_CASE_BYTES = 1024 * 1024;

/** A file that is not JSON has these words at the start of a line only at its top. */
const YAML_TESTS = /^(?:\uFEFF)?(?:tests|'tests'|"tests")[ \t]*:/m;
const YAML_OBJECT = /^(?:\uFEFF)?(?:kind|apiVersion)[ \t]*:/m;

/** What other programs' files of `tests` have not: in a folder there may be some. */
const EXPECTS = /\bexpect['"]?[ \t]*:/;

/** A file of cases. */
export interface CaseText {
  readonly file: string;
  readonly text: string;
}

/**
 * What a file of cases says.
 * @param head its first `MAX_CASE_BYTES`
 * @param size of all of it, bytes
 * @param named whether it was named itself; in a folder, cases have an `expect`
 * @returns undefined for what is no file of cases
 * @throws SluiceError `INPUT_TOO_LARGE`
 */
export function caseText(file: string, head: Buffer, size: number, named: boolean): CaseText | undefined {
  const text = head.toString('utf8', 0, MAX_CASE_BYTES);
  if (!hasCases(text) || !(named || EXPECTS.test(text))) return undefined;
  if (size > MAX_CASE_BYTES)
    throw new SluiceError(
      'INPUT_TOO_LARGE',
      `${file} is larger than ${MAX_CASE_BYTES / 1024 / 1024} MiB: cut the cases into several files, and test them one by one`,
    );
  return { file, text };
}

function hasCases(text: string): boolean {
  if (!/^\uFEFF?\s*\{/.test(text)) return YAML_TESTS.test(text) && !YAML_OBJECT.test(text);
  try {
    const value: unknown = JSON.parse(text.replace(/^\uFEFF/, ''));
    return isRecord(value) && 'tests' in value && !('kind' in value);
  } catch {
    return /"tests"\s*:/.test(text) && !/"(?:kind|apiVersion)"\s*:/.test(text);
  }
}

/**
 * Cases that stand between objects would be passed over as documents that are none.
 * @throws SluiceError `USAGE` for the first of them
 */
export function refuseCasesAmongObjects(files: readonly ManifestFile[]): void {
  for (const { file, text } of files) {
    if (!YAML_TESTS.test(text) || !EXPECTS.test(text)) continue;
    const found = splitDocuments(text).find(
      (document) => hasCases(document.text) && EXPECTS.test(document.text),
    );
    if (found !== undefined)
      throw new SluiceError(
        'USAGE',
        `${file}, document ${found.number}: has cases, and other documents are objects: put the cases into a file of their own`,
      );
  }
}
