/** Where in the project's pages something is explained. */

/** The pages that have a section for each code. */
export type CodePage = 'check' | 'lint';

/**
 * The section of a code, as a path from the project's folder: the pages are published nowhere else.
 * @param code such as `CK305`
 */
export function docsPlace(page: CodePage, code: string): string {
  return `docs/reference/${page}.md#${code.toLowerCase()}`;
}
