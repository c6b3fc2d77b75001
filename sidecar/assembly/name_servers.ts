/** The name servers that the pod asks, as resolv.conf(5) has them. */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { canonicalAddress } from '../../policy/index.ts';

const RESOLV_CONF = '/etc/resolv.conf';

/** Resolvers ask no more: `MAXNS` of resolv.h. */
const NAME_SERVERS_MAX = 3;

/** Canonical addresses of the pod's name servers; none where that cannot be read. Only their first lookups take longer then. */
export function readNameServers(): readonly string[] {
  try {
    return nameServersOf(readFileSync(RESOLV_CONF, 'utf8'));
  } catch {
    return [];
  }
}

/** Those of a resolv.conf. Addresses with a zone are no Service's, and are left out. */
export function nameServersOf(text: string): readonly string[] {
  const named = [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map(([, address = '']) => address);
  return named
    .slice(0, NAME_SERVERS_MAX)
    .filter((address) => isIP(address) !== 0 && !address.includes('%'))
    .map(canonicalAddress);
}
