/** Requests on connections that stay open, by wrk(1). */
import { numberIn } from './tool.ts';

const MS_PER: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000 };

/** What a client saw. */
export interface Requests {
  readonly perSecond: number;
  readonly p99Ms: number;
}

/** The client's command line. @param seconds whole seconds */
export function wrkClient(
  url: string,
  load: { readonly connections: number; readonly seconds: number },
): readonly string[] {
  return ['wrk', '-t1', `-c${load.connections}`, `-d${load.seconds}s`, '--latency', url];
}

/** Reads the report. @throws Error when there were socket errors or answers other than 2xx and 3xx */
export function readRequests(output: string): Requests {
  const trouble = /(?:Socket errors|Non-2xx or 3xx responses):.*/.exec(output);
  if (trouble !== null) throw new Error(`wrk: ${trouble[0]}`);
  const unit = /^\s+99%\s+[\d.]+(us|ms|s)\s*$/m.exec(output)?.[1] ?? '';
  return {
    perSecond: numberIn(output, /^Requests\/sec:\s+([\d.]+)/m),
    p99Ms: numberIn(output, /^\s+99%\s+([\d.]+)/m) * (MS_PER[unit] ?? Number.NaN),
  };
}
