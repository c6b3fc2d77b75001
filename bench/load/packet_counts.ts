/** Packets that the protocols of a network namespace have got; proc_pid_net(5). */

/** The namespace's counters. IPv4. */
export const SNMP_FILE = '/proc/net/snmp';

/** Since the namespace began. What a firewall drops before is in neither. */
export interface PacketCounts {
  /** For a socket that is there, those included for which it had no room. */
  readonly udp: number;
  /** Of all connections. */
  readonly tcp: number;
}

/** Reads the counters. @throws Error when one is not there */
export function countsOf(text: string): PacketCounts {
  return {
    udp: counter(text, 'Udp', 'InDatagrams') + counter(text, 'Udp', 'RcvbufErrors'),
    tcp: counter(text, 'Tcp', 'InSegs'),
  };
}

/** Each protocol has two lines, names and values. */
function counter(text: string, protocol: string, name: string): number {
  const [names, values] = text
    .split('\n')
    .filter((line) => line.startsWith(`${protocol}:`))
    .map((line) => line.split(/\s+/));
  const value = Number(values?.[names?.indexOf(name) ?? -1] ?? Number.NaN);
  if (Number.isFinite(value)) return value;
  throw new Error(`no ${protocol} ${name} in: ${text.slice(0, 600)}`);
}
