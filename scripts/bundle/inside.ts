/** Code of others inside the files that packages publish: neither the bundler nor npm knows of it. */

/** A piece of such code. */
export interface InsideCode {
  readonly name: string;
  /** Where the file says it. */
  readonly version?: string;
  /** Package URL. */
  readonly purl: string;
  /** Path of the text of its licence, from the project's folder; absent: it is in Node's own. */
  readonly licence?: string;
}

/**
 * By package and version, as read in its files. By version, so that a test fails when one is updated: look again then.
 * The version in a package's own list of dependencies says nothing of what was built into it.
 */
export const INSIDE: Readonly<Record<string, readonly InsideCode[]>> = {
  'jsonpath-plus@10.4.0': [
    { name: 'jsep', version: '1.4.0', purl: 'pkg:npm/jsep@1.4.0', licence: 'node_modules/jsep/LICENSE' },
    {
      name: '@jsep-plugin/assignment',
      purl: 'pkg:npm/%40jsep-plugin/assignment',
      licence: 'node_modules/@jsep-plugin/assignment/LICENSE',
    },
    {
      name: '@jsep-plugin/regex',
      purl: 'pkg:npm/%40jsep-plugin/regex',
      licence: 'node_modules/@jsep-plugin/regex/LICENSE',
    },
  ],
  'undici@8.12.4': [
    { name: 'llhttp', purl: 'pkg:generic/llhttp' },
    { name: 'milo', purl: 'pkg:generic/milo', licence: 'node_modules/undici/lib/milo/LICENSE.md' },
  ],
};

/** What is inside a package. */
export function insideOf({ name, version }: { readonly name: string; readonly version: string }) {
  return INSIDE[`${name}@${version}`] ?? [];
}
