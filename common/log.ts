/** The log of every long-running program: one JSON line per event on standard output. */
import { type DestinationStream, type Logger, pino } from 'pino';

/** What `--log-level` takes. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

/** One of `LOG_LEVELS`. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Which flows have a line in a sidecar's log: what `--flow-log` takes. `denied`: those that are denied or cut. */
export const FLOW_LOGS = ['denied', 'all', 'none'] as const;

/** One of `FLOW_LOGS`. */
export type FlowLog = (typeof FLOW_LOGS)[number];

/**
 * Opens the log.
 * @param level lowest level that is written, one of `LOG_LEVELS`
 * @param output where lines go
 */
export function openLog(level: string, output: DestinationStream = standardOutput()): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    output,
  );
}

/**
 * Standard output. The lines of one turn of the event loop are written together: with a record for each flow, a write for
 * each would cost more than anything else that is done for it. What is left at an exit is written then.
 */
export function standardOutput(): DestinationStream {
  const stdout = pino.destination({ fd: 1, sync: true });
  let lines = '';
  const flush = (): void => {
    if (lines === '') return;
    stdout.write(lines);
    lines = '';
  };
  process.on('exit', flush);
  return {
    write(line: string): void {
      if (lines === '') setImmediate(flush);
      lines += line;
    },
  };
}

/**
 * Writes records that say their own time, which come by the thousand a second: the line of `log[level](record, msg)` at a third
 * of the price.
 */
export class RecordLog {
  readonly #log: Pick<Logger, 'isLevelEnabled'>;
  readonly #output: DestinationStream;

  /**
   * @param log says which levels are written
   * @param output that of `log`, so that lines of both come in order
   */
  constructor(log: Pick<Logger, 'isLevelEnabled'>, output: DestinationStream) {
    this.#log = log;
    this.#output = output;
  }

  /** Writes `record` as one line. `msg` must not need escapes in JSON. */
  write(level: 'info' | 'warn', record: { readonly time: string }, msg: string): void {
    if (!this.#log.isLevelEnabled(level)) return;
    this.#output.write(`{"level":"${level}",${JSON.stringify(record).slice(1, -1)},"msg":"${msg}"}\n`);
  }
}
