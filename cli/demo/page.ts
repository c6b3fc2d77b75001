/** Prints the demo: plain text, and colour where there is to be some. */
import type { Style } from '../terminal/index.ts';

/** Something did not behave as promised; the message says what. */
export class BrokenPromise extends Error {}

/** What the demo is printed on. */
export interface Page {
  readonly emphasise: Style;
  /** One line. */
  say(text: string): void;
  /** The headline of a step. */
  step(number: number, text: string): void;
  /** An indented line. */
  detail(text: string): void;
}

/** On standard output. */
export function createPage(emphasise: Style): Page {
  const say = (text: string): void => {
    process.stdout.write(`${text}\n`);
  };
  return {
    emphasise,
    say,
    step: (number, text) => say(`\n${emphasise('bold', `${number}. ${text}`)}`),
    detail: (text) => say(`   ${text}`),
  };
}

/** Whole megabytes, such as `137 MB`. */
export function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}
