/** One connection a request, by ab(1): the only one of the usual tools whose times include connecting. */
import { numberIn } from './tool.ts';

/** More requests than any path answers in a run: the time ends it. */
const NO_LIMIT = 10_000_000;

/** What a client saw. */
export interface Connections {
  /** How many there were. */
  readonly requests: number;
  readonly perSecond: number;
  /** Connect, request, answer and close, in milliseconds. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/**
 * The client's command line. Ports of closed connections stay taken for a minute: where stalls for want of one are not to be
 * measured, `requests` limits how many there are.
 * @param seconds whole seconds @param csv file for the percentiles
 */
export function abClient(
  url: string,
  load: {
    readonly concurrency: number;
    readonly seconds: number;
    readonly csv: string;
    readonly requests?: number;
  },
): readonly string[] {
  const { concurrency, seconds, csv, requests = NO_LIMIT } = load;
  // -t sets a number of requests too, so -n comes after it.
  return [
    ...['ab', '-q', '-s', '5', '-t', String(seconds), '-n', String(requests)],
    ...['-c', String(concurrency), '-e', csv, url],
  ];
}

/** Reads the report and the percentiles. @throws Error when requests failed: the figure would be of something else */
export function readConnections(output: string, csv: string): Connections {
  const failed = numberIn(output, /^Failed requests:\s+(\d+)/m);
  if (failed > 0) throw new Error(`ab: ${failed} requests failed`);
  return {
    requests: numberIn(output, /^Complete requests:\s+(\d+)/m),
    perSecond: numberIn(output, /^Requests per second:\s+([\d.]+)/m),
    p50Ms: numberIn(csv, /^50,([\d.]+)/m),
    p99Ms: numberIn(csv, /^99,([\d.]+)/m),
  };
}
