/** Commands that say the same as the page, to be pasted into a shell. Names come from others: a shell must not read them. */
import type { ObservedEnd, ObservedFlow } from '../../../../flows/index.ts';
import { endOf } from './ends.ts';

/** A word as a shell takes it: quoted, where it has to be. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/**
 * The command that explains a flow by policy. Undefined where an end has no name that the command knows, or one that no shell prints
 * as it is.
 */
export function canCommand(
  { src, dst, protocol, port }: ObservedFlow,
  flags: readonly string[],
): string | undefined {
  const ends = [nameOf(src), nameOf(dst)];
  if (ends.includes(undefined)) return undefined;
  const words = [
    'sluice',
    'can',
    ...ends.map(String),
    protocol === 'TCP' ? `${port}` : `${port}/${protocol}`,
    ...flags,
  ];
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not get into a terminal
  return words.some((word) => /[\u0000-\u001f\u007f-\u009f]/.test(word))
    ? undefined
    : words.map(shellWord).join(' ');
}

function nameOf(end: ObservedEnd): string | undefined {
  if (end.kind === 'workload') return end.workload === undefined ? undefined : endOf(end).name;
  return end.address === 'other' ? undefined : end.address;
}
