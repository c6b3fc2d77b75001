/** What the network around the pod looks like, read with ip(8): interfaces, gateways, next hops and neighbours. */
import { existsSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { canonicalAddress } from '../../policy/index.ts';
import { tryTool } from '../tools.ts';
import { familyOfAddress, type Hop, type OwnAddresses } from './plan.ts';

/** An interface, but for `lo`. */
export interface Interface {
  readonly name: string;
  /** It has link-layer addresses, and resolves those of its neighbours. */
  readonly hasLinks: boolean;
}

/** A default gateway. */
export interface Gateway extends Hop {
  /** A router advertised it, or a redirect put it there: anybody on the link can send those. */
  readonly advertised: boolean;
}

/** A neighbour as the kernel knows it. */
export interface Neighbour {
  /** Link-layer address; absent while it is not resolved. */
  readonly link: string | undefined;
  /** The kernel has an answer of the last seconds, or somebody with NET_ADMIN has put it there for good. */
  readonly state: 'reachable' | 'permanent' | 'other';
}

/** Routes of these protocols come from the link and not from whoever set up the pod. Source: ip-route(8). */
const ADVERTISED: readonly unknown[] = ['ra', 'redirect'];

/** The families that the kernel has. */
export function kernelFamilies(): readonly (4 | 6)[] {
  // A kernel without IPv6 has no settings for it. Where it is only switched off, it may be switched on later.
  return existsSync('/proc/sys/net/ipv6') ? [4, 6] : [4];
}

/** All interfaces but `lo`, up or not. */
export async function interfaces(): Promise<readonly Interface[]> {
  const found = (await ipJson(['addr', 'show'])) as {
    ifname?: string;
    link_type?: string;
    flags?: string[];
  }[];
  return found.flatMap(({ ifname, link_type, flags = [] }) =>
    ifname === undefined || flags.includes('LOOPBACK')
      ? []
      : [{ name: ifname, hasLinks: link_type === 'ether' && !flags.includes('NOARP') }],
  );
}

/** The addresses of interfaces that are up, but for `lo`. No process is started. */
export function ownAddresses(): OwnAddresses {
  const all = Object.values(networkInterfaces())
    .flat()
    .filter((one) => one !== undefined && !one.internal);
  const distinct = (list: readonly string[]): readonly string[] => [...new Set(list)].sort();
  return {
    addresses: distinct(all.map((one) => canonicalAddress(one?.address.replace(/%.*$/, '') ?? ''))),
    links: distinct(all.map((one) => one?.mac ?? '')),
  };
}

interface RawHop {
  readonly gateway?: string;
  readonly via?: { readonly host?: string };
  readonly dev?: string;
}

/** The gateways of the default routes, each family's. */
export async function defaultGateways(): Promise<readonly Gateway[]> {
  const found: Gateway[] = [];
  for (const family of kernelFamilies()) {
    const routes = (await ipJson([`-${family}`, 'route', 'show', 'default'])) as (RawHop & {
      protocol?: string;
      nexthops?: RawHop[];
    })[];
    for (const route of routes)
      for (const hop of [route, ...(route.nexthops ?? [])]) {
        const address = hop.gateway ?? hop.via?.host;
        const device = hop.dev ?? route.dev;
        if (address === undefined || device === undefined) continue;
        const advertised = ADVERTISED.includes(route.protocol);
        found.push({ address: canonicalAddress(address), device, advertised });
      }
  }
  return found;
}

/** Through whom an address is reached; `undefined` where no route leads there. */
export async function hopTo(address: string): Promise<Hop | undefined> {
  const family = familyOfAddress(address);
  const { status, stdout } = await tryTool('ip', [`-${family}`, '-j', 'route', 'get', address]);
  if (status !== 0) return undefined;
  const [route] = JSON.parse(stdout || '[]') as (RawHop & { type?: string })[];
  if (route?.dev === undefined || route.type === 'local' || route.dev === 'lo') return undefined;
  return { address: canonicalAddress(route.gateway ?? route.via?.host ?? address), device: route.dev };
}

/** What the kernel knows of a neighbour. */
export async function neighbour({ address, device }: Hop): Promise<Neighbour> {
  const [found] = (await ipJson(['neigh', 'show', 'to', address, 'dev', device])) as {
    lladdr?: string;
    state?: string[];
  }[];
  const states = found?.state ?? [];
  const usable = !states.includes('FAILED') && !states.includes('INCOMPLETE');
  return {
    link: usable ? found?.lladdr?.toLowerCase() : undefined,
    state: states.includes('PERMANENT') ? 'permanent' : states.includes('REACHABLE') ? 'reachable' : 'other',
  };
}

/** Has the kernel resolve a neighbour, as if there were a packet for it. */
export async function resolve({ address, device }: Hop): Promise<void> {
  await tryTool('ip', ['neigh', 'replace', address, 'dev', device, 'use']);
}

/** Has the kernel ask one link-layer address whether it still is that neighbour; nobody else is asked. */
export async function askLink({ address, device }: Hop, link: string): Promise<void> {
  await tryTool('ip', ['neigh', 'replace', address, 'lladdr', link, 'dev', device, 'nud', 'probe']);
}

/** Forgets a neighbour, so that the kernel asks everybody. */
export async function forget({ address, device }: Hop): Promise<void> {
  await tryTool('ip', ['neigh', 'del', address, 'dev', device]);
}

/** @returns an empty list where the tool fails: there is no such family, or no such thing */
async function ipJson(args: readonly string[]): Promise<readonly unknown[]> {
  const { status, stdout } = await tryTool('ip', ['-j', ...args]);
  return status === 0 ? (JSON.parse(stdout || '[]') as unknown[]) : [];
}
