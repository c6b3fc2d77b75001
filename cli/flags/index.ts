/** Command lines: flags by table, read with what is like an unknown one, and described for the help. */

export { durationMs } from './duration.ts';
export { type Completes, type Flag, type FlagTable, flagLines } from './flag_table.ts';
export { momentMs } from './moment.ts';
export { type FlagValues, readFlags } from './read_flags.ts';
export { parseStrictly } from './strict_parse.ts';
