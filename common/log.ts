/** The log of every long-running program: one JSON line per event on standard output. */
import { type DestinationStream, type Logger, pino } from 'pino';

/** What `--log-level` takes. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

/** @param level one of `LOG_LEVELS` */
export function openLog(level: string): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    openOutput(),
  );
}

/**
 * Standard output. The lines of one turn of the event loop are written together: with a record for each flow, a write for
 * each would cost more than anything else that is done for it. What is left at an exit is written then.
 */
function openOutput(): DestinationStream {
  const output = pino.destination({ fd: 1, sync: true });
  let lines = '';
  const flush = (): void => {
    if (lines === '') return;
    output.write(lines);
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
 * Logs a record that says its own time: the line of `log[level](record, msg)` at a third of the price, for records that come
 * by the thousand a second.
 */
export function logRecord(
  log: Logger,
  level: 'info' | 'warn',
  record: { readonly time: string },
  msg: string,
): void {
  if (!log.isLevelEnabled(level)) return;
  const { [pino.symbols.streamSym]: output } = log as unknown as Record<
    symbol,
    DestinationStream | undefined
  >;
  if (output === undefined) return log[level](record, msg);
  output.write(`{"level":"${level}",${JSON.stringify(record).slice(1, -1)},"msg":"${msg}"}\n`);
}
