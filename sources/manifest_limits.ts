/** How large manifests may be, for the pages that say so. */
import { MAX_FILE_BYTES } from './files/index.ts';
import { MAX_COPIED_SHARE, MAX_DEPTH, MAX_TOKENS, MAX_VALUES } from './text/index.ts';

/** The bounds by which files are read. */
export const MANIFEST_LIMITS = {
  fileBytes: MAX_FILE_BYTES,
  /** Of a YAML document. */
  yamlTokens: MAX_TOKENS,
  /** Levels of nesting of a YAML document. */
  yamlDepth: MAX_DEPTH,
  /** Of a YAML document, its aliases followed. */
  yamlValues: MAX_VALUES,
  /** How many of these may be copies that aliases make. */
  yamlCopiedShare: MAX_COPIED_SHARE,
} as const;
