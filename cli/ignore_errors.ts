/** The flag by which every command that reads manifests goes on where some are broken. docs/reference/cli.md says what that means. */
import type { FlagTable } from './flags/index.ts';

/** For the table of a command. */
export const IGNORE_ERRORS_FLAG = {
  'ignore-errors': {
    help: `go on in spite of broken manifests, with a warning: faulty rules of a policy admit nothing, and it
isolates where its podSelector can be read; other broken objects count as absent`,
  },
} as const satisfies FlagTable;
