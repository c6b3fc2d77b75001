/** Text of which words may have a colour. */
import { printable } from '../common/printable.ts';
import type { CommandContext } from './command.ts';
import type { Style } from './terminal/index.ts';

/** A part of the output. */
export interface Lines {
  /** Goes before the text, which holds what others have named: that is never coloured. */
  readonly lead?: { readonly format: Parameters<Style>[0]; readonly word: string };
  readonly text: string;
}

/** A line; names of others stay on it. */
export function line(text: string, lead?: Lines['lead']): Lines {
  return { text: `${printable(text)}\n`, ...(lead === undefined ? {} : { lead }) };
}

/** Writes them in order, until the reader is gone. */
export async function writeLines(
  lines: readonly Lines[],
  { stdout, style }: Pick<CommandContext, 'stdout' | 'style'>,
): Promise<void> {
  for (const { text, lead } of lines) {
    const readerIsThere = await stdout.write(text, lead === undefined ? '' : style(lead.format, lead.word));
    if (!readerIsThere) return;
  }
}
