/** Rules of the ports that are Sluice's own: the sidecar's admin port, and the injector. Policy has no say in either. */
import { INJECTOR_MARK, INJECTOR_MARK_MASK } from '../../kernel/index.ts';
import { FROM_NODE } from './exemptions.ts';
import { ADDRESS_TYPES, FAMILIES, HEADERS, TCP_FLAGS } from './names.ts';
import type { GateSettings } from './settings.ts';

/** New connections to the admin port a second from one address; a scraper needs one in some seconds. */
const ADMIN_SYNS_PER_SECOND = 20;
/** Addresses whose rate is kept. */
const ADMIN_SOURCES = 4096;

/** SYNs to the admin port that are refused as by a closed port, a second, while the sidecar does not have it. */
const ADMIN_RESETS_PER_SECOND = 1000;

/**
 * Anybody may ask for health and metrics, but not so often that it costs the flows anything. The sidecar's listener is the only
 * transparent one on its port: an app cannot make one without NET_ADMIN or NET_RAW. So an app that takes the port while the
 * sidecar is down is reached by nobody from outside, its own node included, whose probe would take it for the sidecar.
 * @param matchesSockets whether the kernel can look at the socket that a packet meets (CONFIG_NFT_SOCKET)
 */
export function adminObjects(matchesSockets: boolean): readonly string[] {
  const over = `limit rate over ${ADMIN_SYNS_PER_SECOND}/second burst ${ADMIN_SYNS_PER_SECOND} packets`;
  return [
    ...FAMILIES.map(
      (family) =>
        `set admin${family} { type ${ADDRESS_TYPES[family]}; flags dynamic,timeout; size ${ADMIN_SOURCES}; timeout 10s; }`,
    ),
    'chain admin_own {',
    ...FROM_NODE.map((from) => `  ${from} accept`),
    ...FAMILIES.map((family) => `  update @admin${family} { ${HEADERS[family]} saddr ${over} } goto in_deny`),
    '  accept',
    '}',
    'chain admin {',
    ...(matchesSockets
      ? [
          '  socket transparent 1 goto admin_own',
          '  update @in_dropped { meta l4proto }',
          `  limit rate ${ADMIN_RESETS_PER_SECOND}/second burst ${ADMIN_RESETS_PER_SECOND} packets reject with tcp reset`,
          '  drop',
        ]
      : ['  goto admin_own']),
    '}',
  ];
}

/**
 * The sidecar always reaches the injector, nobody else of the pod ever does, and policy has no say in either: an app could
 * use up what one address may have there, and its own sidecar would be locked out.
 */
export function injectorObjects({ injector }: GateSettings): readonly string[] {
  if (injector === undefined) return [];
  return [
    ...FAMILIES.map((family) => `set injector${family} { type ${ADDRESS_TYPES[family]} . inet_service; }`),
    'chain to_injector {',
    `  tcp ${TCP_FLAGS} != syn accept`,
    `  meta mark & ${INJECTOR_MARK_MASK} == ${INJECTOR_MARK} accept`,
    '  update @out_dropped { meta l4proto }',
    '  reject with tcp reset',
    '}',
  ];
}

/** The Service's address is not translated here: the node picks the injector, as for pods that nothing isolates. */
export function toInjector({ injector }: GateSettings): readonly string[] {
  if (injector === undefined) return [];
  return FAMILIES.map((family) => `${HEADERS[family]} daddr . tcp dport @injector${family} goto to_injector`);
}
