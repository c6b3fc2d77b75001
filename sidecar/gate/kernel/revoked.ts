/** Rules of outbound TCP connections that are older than the policy which denies them. */
import { ADDRESS_TYPES, FAMILIES, HEADERS } from './names.ts';

/** How long the sidecar is given to end a connection that policy allows no longer. */
const ENDING_SECONDS = 5;
/** Such connections that are remembered, of each family, and how long. */
const REVOKED_SIZE = 4_096;
const REVOKED_SECONDS = 60;

/**
 * The sidecar destroys the connection's socket, so that both ends hear of it. Until then the gate drops the connection's packets: a
 * reset by the gate would reach the app only. If the sidecar has not done it in time, the gate resets at the next packet.
 */
export function revokedObjects(): readonly string[] {
  const sets = FAMILIES.flatMap((family) => {
    const ofType = `type ${ADDRESS_TYPES[family]} . inet_service . inet_service; flags dynamic,timeout; size ${REVOKED_SIZE}`;
    return [
      `set ending${family} { ${ofType}; timeout ${ENDING_SECONDS}s; }`,
      `set revoked${family} { ${ofType}; timeout ${REVOKED_SECONDS}s; }`,
    ];
  });
  const flows = FAMILIES.map(
    (family) => [`${HEADERS[family]} daddr . tcp sport . tcp dport`, family] as const,
  );
  return [
    ...sets,
    'chain out_revoked {',
    ...flows.map(([flow, family]) => `  ${flow} @ending${family} drop`),
    ...flows.map(([flow, family]) => `  ${flow} @revoked${family} reject with tcp reset`),
    ...flows.map(
      ([flow, family]) => `  add @ending${family} { ${flow} } add @revoked${family} { ${flow} } drop`,
    ),
    '  reject with tcp reset', // more than are kept
    '}',
  ];
}
