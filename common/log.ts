/** The log of every long-running program: one JSON line per event on standard output. */
import { type Logger, pino } from 'pino';

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
    pino.destination({ fd: 1, sync: true }), // the last lines before an exit matter most
  );
}
