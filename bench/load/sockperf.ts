/** Round-trip time of small messages on one connection, by sockperf(1). */
import { numberIn } from './tool.ts';

/** Port of its server in each pod. */
export const SOCKPERF_PORT = 11_111;

/** The server's command line. */
export const SOCKPERF_SERVER: readonly string[] = [
  'sockperf',
  'server',
  '--tcp',
  '-p',
  String(SOCKPERF_PORT),
];

/** Percentiles in microseconds. */
export interface RoundTrip {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

/** The client's command line: one message under way at a time. @param seconds whole seconds */
export function sockperfClient(
  address: string,
  load: { readonly bytes: number; readonly seconds: number },
): readonly string[] {
  return [
    ...['sockperf', 'ping-pong', '--tcp', '-i', address, '-p', String(SOCKPERF_PORT)],
    ...['-m', String(load.bytes), '-t', String(load.seconds), '--full-rtt'],
  ];
}

/** Reads the client's report. */
export function readRoundTrip(output: string): RoundTrip {
  const percentile = (name: string) =>
    numberIn(output, new RegExp(`percentile ${name.replace('.', '\\.')}\\s*=\\s*([\\d.]+)`));
  return { p50: percentile('50.000'), p99: percentile('99.000'), p999: percentile('99.900') };
}
