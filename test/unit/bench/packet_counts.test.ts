import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { countsOf, SNMP_FILE } from '../../../bench/load/packet_counts.ts';

const TEXT = `Ip: Forwarding DefaultTTL InReceives
Ip: 1 64 100
Tcp: RtoAlgorithm InSegs OutSegs
Tcp: 1 70 60
Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors
Udp: 20 3 5 9 5
UdpLite: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors
UdpLite: 0 0 0 0 0
`;

test('datagrams for which the app had no room have passed the gate all the same', () => {
  expect(countsOf(TEXT)).toEqual({ udp: 25, tcp: 70 });
});

test('a kernel without a counter is an error that shows what it has', () => {
  expect(() => countsOf(TEXT.replaceAll('InSegs', 'Segs'))).toThrow('no Tcp InSegs in: Ip: Forwarding');
});

test("this kernel's counters can be read", () => {
  expect(countsOf(readFileSync(SNMP_FILE, 'utf8')).tcp).toBeGreaterThanOrEqual(0);
});
