/**
 * Services in the gate: a connection to a virtual address goes to one of the backends that policy allows. The node never
 * sees the virtual address. A look-up finds how many backends the virtual port has, a random number below that is drawn, and a
 * second look-up by port and number finds the backend. So the chains are as many as there are numbers of backends, and
 * all else is elements. See docs/adr/0026-services-as-maps.md.
 */

import { coarseRanges, type ServicePlan } from '../plan/index.ts';
import { ADDRESS_TYPES, FAMILIES, GATE_TABLE, HEADERS } from './names.ts';

/** Before egress is judged, so that policy sees the backend. */
const SERVICE_PRIORITY = -100;
/** The hook's chain. It is there only while there are Services to translate: some kernels lack it, and it costs time. */
const HOOK = 'translate';
/** While elements are loaded, it drops what would leave untranslated; at other times it is empty. */
export const LOADING_CHAIN = 'loading';

/** Up to this many backends, a port that gains one needs no new chain. */
const PREPARED_COUNTS = 16;
/** Ranges of addresses that new connections are held back from while elements are loaded. */
const LOADING_RANGES_MAX = 256;

const PROTOCOLS = '{ tcp, udp, sctp }';

/** The chain that picks one of so many backends. */
export function pickChain(count: number): string {
  return `pick_${count}`;
}

/** The numbers of backends that need a chain which a table made for `has` lacks. */
export function missingCounts(has: ReadonlySet<number>, { counts }: ServicePlan): readonly number[] {
  return [...counts].filter((count) => !has.has(count));
}

/** The numbers of backends that a table made for this plan has chains for. */
export function preparedCounts({ counts }: ServicePlan): ReadonlySet<number> {
  const prepared = Array.from({ length: PREPARED_COUNTS }, (_, index) => index + 1);
  return new Set([...prepared, ...counts]);
}

/** Maps of virtual ports to chains, of virtual ports and drawn numbers to backends, and the set of all virtual ports. */
export function serviceObjects(): readonly string[] {
  return FAMILIES.flatMap((family) => {
    const [type, ip] = [ADDRESS_TYPES[family], HEADERS[family]];
    return [
      `map virtual${family} { type ${type} . inet_proto . inet_service : verdict; }`,
      `map backends${family} { typeof ${ip} daddr . meta l4proto . th dport . numgen random mod 2 : ${ip} daddr . th dport; }`,
      `set services${family} { type ${type} . inet_proto . inet_service; }`,
    ];
  });
}

/** The chains that a new table begins with. */
export function serviceChains(plan: ServicePlan): readonly string[] {
  return [
    `chain ${LOADING_CHAIN} { }`,
    ...[...preparedCounts(plan)].flatMap((count) => [
      `chain ${pickChain(count)} {`,
      ...pickRules(count).map((rule) => `  ${rule}`),
      '}',
    ]),
  ];
}

/** Makes further chains. */
export function addedCounts(counts: readonly number[]): readonly string[] {
  return counts.flatMap((count) => [
    `add chain ${GATE_TABLE} ${pickChain(count)}`,
    ...pickRules(count).map((rule) => `add rule ${GATE_TABLE} ${pickChain(count)} ${rule}`),
  ]);
}

/**
 * A backend at random. A counter would be shared by all Services: where two are asked in turn, each would always get the same
 * backend.
 */
function pickRules(count: number): readonly string[] {
  return FAMILIES.map((family) => {
    const ip = HEADERS[family];
    return `meta l4proto ${PROTOCOLS} dnat ${ip} to ${ip} daddr . meta l4proto . th dport . numgen random mod ${count} map @backends${family}`;
  });
}

/** Makes the hook, with the first backend, or removes it, with the last. */
export function translationHook(translates: boolean): readonly string[] {
  const hook = `${GATE_TABLE} ${HOOK}`;
  if (!translates) return [`flush chain ${hook}`, `delete chain ${hook}`];
  return [
    `add chain ${hook} { type nat hook output priority ${SERVICE_PRIORITY}; policy accept; }`,
    ...FAMILIES.map(
      (family) =>
        `add rule ${hook} ${HEADERS[family]} daddr . meta l4proto . th dport vmap @virtual${family}`,
    ),
    `add rule ${hook} jump ${LOADING_CHAIN}`,
  ];
}

/**
 * Until the elements of a new table are there, no new connection goes to an address near those of Services: it might
 * reach a backend that policy denies. The next try succeeds.
 */
export function loadingRules({ ports }: ServicePlan): readonly string[] {
  return FAMILIES.flatMap((family) => {
    const addresses = new Set<string>();
    for (const port of ports.values()) if (port.family === family) addresses.add(port.address);
    if (addresses.size === 0) return [];
    const ranges = coarseRanges([...addresses], LOADING_RANGES_MAX);
    return [
      `add rule ${GATE_TABLE} ${LOADING_CHAIN} ${HEADERS[family]} daddr { ${ranges.join(', ')} } meta l4proto ${PROTOCOLS} drop`,
    ];
  });
}
