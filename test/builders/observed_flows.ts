/** Observed edges for tests: one by hand, and any. */
import fc from 'fast-check';
import { PROTOCOLS } from '../../common/net.ts';
import { type ObservedEnd, type ObservedFlow, OUTCOMES } from '../../flows/index.ts';

/** Begin of what tests observe. */
export const NOON_MS = Date.parse('2026-11-30T12:00:00Z');

/** `shop/deploy/web`, an address, or `node/n1`. */
export function end(text: string): ObservedEnd {
  const [first = '', second, third] = text.split('/');
  if (/^[\d.]+$/.test(first)) return { kind: 'external', address: text };
  if (first === 'node') return { kind: 'node', workload: second ?? '' };
  if (third === undefined) return { kind: 'unknown', address: text };
  return { kind: 'workload', namespace: first, workload: `${second}/${third}` };
}

/** An edge between two ends, with what a test is about. */
export function edge(src: string, dst: string, parts: Partial<ObservedFlow> = {}): ObservedFlow {
  return {
    src: end(src),
    dst: end(dst),
    protocol: 'TCP',
    port: 8080,
    outcome: 'allow',
    direction: 'ingress',
    reason: 'rule',
    first: new Date(NOON_MS).toISOString(),
    last: new Date(NOON_MS + 60_000).toISOString(),
    flows: 1,
    packets: 0,
    bytes_sent: 0,
    bytes_received: 0,
    reported_by: 'both',
    ...parts,
  };
}

const name = fc.constantFrom('a', 'b', 'c');

const anyEnd: fc.Arbitrary<ObservedEnd> = fc.oneof(
  fc.record(
    {
      kind: fc.constant('workload' as const),
      namespace: name,
      workload: name.map((text) => `deploy/${text}`),
      pod: name,
    },
    { requiredKeys: ['kind', 'namespace', 'workload'] },
  ),
  name.map((workload) => ({ kind: 'node' as const, workload })),
  fc
    .constantFrom('192.0.2.1', '203.0.113.7', '203.0.113.0/24', '2001:db8::1', 'other')
    .map((address) => ({ kind: 'external' as const, address })),
);

/** Any edge, of few names, so that many are alike. */
export const anyEdge: fc.Arbitrary<ObservedFlow> = fc
  .record(
    {
      src: anyEnd,
      dst: anyEnd,
      service: name.map((text) => `a/${text}`),
      protocol: fc.constantFrom(...PROTOCOLS),
      port: fc.constantFrom(53, 80),
      outcome: fc.constantFrom(...OUTCOMES),
      direction: fc.constantFrom('ingress' as const, 'egress' as const),
      reason: fc.constantFrom('rule', 'no-rule'),
      policy: name.map((text) => `a/${text}`),
      rule: fc.nat(2),
      near: fc.array(
        fc.record({ policy: name.map((text) => `a/${text}`), rule: fc.nat(2), lacks: fc.constant([]) }),
      ),
      firstMs: fc.nat(1_000),
      lastsMs: fc.nat(1_000),
      flows: fc.nat(5),
      packets: fc.nat(5),
      bytes_sent: fc.nat(5),
      bytes_received: fc.nat(5),
      reported_by: fc.constantFrom('both' as const, 'source' as const, 'destination' as const),
    },
    {
      requiredKeys: [
        ...([
          'src',
          'dst',
          'protocol',
          'port',
          'outcome',
          'direction',
          'reason',
          'firstMs',
          'lastsMs',
        ] as const),
        ...(['flows', 'packets', 'bytes_sent', 'bytes_received', 'reported_by'] as const),
      ],
    },
  )
  .map(({ firstMs, lastsMs, ...rest }) => ({
    ...rest,
    first: new Date(NOON_MS + firstMs).toISOString(),
    last: new Date(NOON_MS + firstMs + lastsMs).toISOString(),
  }));
