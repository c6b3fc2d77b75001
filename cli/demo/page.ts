/** Prints the demo: plain text, with colour only on a terminal. */

import { styleText } from 'node:util';

/** Something did not behave as promised; the message says what. */
export class BrokenPromise extends Error {}

type Emphasis = 'bold' | 'dim' | 'green' | 'red';

/** A style on a terminal, the bare text elsewhere. NO_COLOR turns it off. */
export function emphasise(how: Emphasis, text: string): string {
  return styleText(how, text, { stream: process.stdout });
}

/** One line. */
export function say(text = ''): void {
  process.stdout.write(`${text}\n`);
}

/** The headline of a step. */
export function step(number: number, text: string): void {
  say(`\n${emphasise('bold', `${number}. ${text}`)}`);
}

/** An indented line. */
export function detail(text: string): void {
  say(`   ${text}`);
}

/** Whole megabytes, such as `137 MB`. */
export function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}
