/** One line that says what takes time. It is there on a terminal only, and gone before anything else is printed. */
import { printable } from '../../common/printable.ts';

/** Says how far a command is. */
export interface Progress {
  /** Replaces the line. */
  say(text: string): void;
  /** Takes the line away. */
  end(): void;
}

/** Between two lines, ms: a terminal far away shall not slow the command. */
const INTERVAL_MS = 100;

const CLEAR_LINE = '\r\u001b[K';

/** @param stream where people look while standard output goes elsewhere: standard error */
export function createProgress(stream: NodeJS.WriteStream): Progress {
  if (!stream.isTTY) return { say() {}, end() {} };
  let shownAt = 0;
  let isShown = false;
  return {
    say(text) {
      const now = performance.now();
      if (now - shownAt < INTERVAL_MS) return;
      shownAt = now;
      isShown = true;
      stream.write(`${CLEAR_LINE}${printable(text).slice(0, stream.columns - 1)}`);
    },
    end() {
      if (isShown) stream.write(CLEAR_LINE);
      isShown = false;
    },
  };
}
