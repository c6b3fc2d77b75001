/** A logger whose lines a test can read. */
import { type Logger, pino } from 'pino';

/** One log line. */
export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** Lines are parsed as they come. */
export function captureLog(): { log: Logger; lines: LogLine[] } {
  const lines: LogLine[] = [];
  const write = (line: string): void => {
    lines.push(JSON.parse(line));
  };
  const log = pino({ level: 'debug', formatters: { level: (label) => ({ level: label }) } }, { write });
  return { log, lines };
}
