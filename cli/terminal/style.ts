/** Colours. */
import type { Writable } from 'node:stream';
import { styleText } from 'node:util';
import { unreachable } from '../../common/errors.ts';

/** When there is colour: on a terminal without NO_COLOR, always, never. */
export const COLOR_CHOICES = ['auto', 'always', 'never'] as const;

/** One of them. */
type ColorChoice = (typeof COLOR_CHOICES)[number];

/** Gives a word a colour, or leaves it. */
export type Style = (format: 'green' | 'red' | 'yellow' | 'dim' | 'bold', text: string) => string;

/** For text that goes to `stream`. */
export function createStyle(choice: ColorChoice, stream: Writable & NodeJS.WritableStream): Style {
  switch (choice) {
    case 'never':
      return (_, text) => text;
    case 'always':
      return (format, text) => styleText(format, text, { validateStream: false });
    case 'auto':
      return (format, text) => styleText(format, text, { stream });
    default:
      return unreachable(choice);
  }
}
