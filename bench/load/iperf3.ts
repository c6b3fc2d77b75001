/** Bulk throughput, by iperf3(1). */

/** Port of its server in each pod. */
export const IPERF_PORT = 5201;

/** Which way the bytes go: `up` from the client to the app. */
export type BulkDirection = 'up' | 'down';

/** The server's command line. */
export const IPERF_SERVER: readonly string[] = ['iperf3', '--server', '--port', String(IPERF_PORT)];

/** Payload of a small packet, in bytes; of a TCP segment, what its options take included. */
export const IPERF_PACKET_BYTES = 128;

/** What was moved. */
export interface Bulk {
  readonly bitsPerSecond: number;
  /** Received, both ends' warm-up included. */
  readonly bits: number;
}

/** The client's command line. @param seconds whole seconds */
export function iperfClient(
  address: string,
  load: { readonly streams: number; readonly direction: BulkDirection; readonly seconds: number },
): readonly string[] {
  const { streams, direction, seconds } = load;
  return [
    ...['iperf3', '--client', address, '--port', String(IPERF_PORT), '--json'],
    ...['--parallel', String(streams), '--time', String(seconds)],
    ...(direction === 'down' ? ['--reverse'] : []),
  ];
}

/** The command line of a client that sends small packets as fast as it can. @param seconds whole seconds */
export function packetClient(
  address: string,
  { protocol, seconds }: { readonly protocol: 'udp' | 'tcp'; readonly seconds: number },
): readonly string[] {
  const bytes = String(IPERF_PACKET_BYTES);
  return [
    ...iperfClient(address, { streams: 1, direction: 'up', seconds }),
    ...(protocol === 'udp' ? ['--udp', '--bitrate', '0', '--length', bytes] : ['--set-mss', bytes]),
  ];
}

/** How long the client has sent, in seconds. @throws Error with what iperf3 reports instead */
export function readSeconds(output: string): number {
  const report = JSON.parse(output) as { error?: string; end?: { sum_sent?: { seconds: number } } };
  const seconds = report.end?.sum_sent?.seconds;
  if (report.error !== undefined || seconds === undefined || seconds <= 0)
    throw new Error(`iperf3: ${report.error ?? 'no sum_sent in its report'}`);
  return seconds;
}

/** Whether the server has not yet noticed the end of the run before. */
export function isBusy(output: string): boolean {
  return output.includes('server is busy');
}

/**
 * Reads the client's report.
 * @returns undefined when the server has not yet noticed the end of the run before
 * @throws Error with any other error that iperf3 reports
 */
export function readBulk(output: string): Bulk | undefined {
  const report = JSON.parse(output) as {
    error?: string;
    end?: { sum_received?: { bytes: number; bits_per_second: number } };
  };
  if (isBusy(report.error ?? '')) return undefined;
  const received = report.end?.sum_received;
  if (report.error !== undefined || received === undefined)
    throw new Error(`iperf3: ${report.error ?? 'no sum_received in its report'}`);
  return { bitsPerSecond: received.bits_per_second, bits: received.bytes * 8 };
}
