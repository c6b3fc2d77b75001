/** What the network around the pod looks like, read with ip(8): interfaces, gateways, next hops and neighbours. */
import { networkInterfaces } from 'node:os';
import { SluiceError } from '../../common/errors.ts';
import { canonicalAddress, familyOf } from '../../policy/index.ts';
import { kernelFamilies, tryTool } from '../kernel/index.ts';
import type { Hop, OwnAddresses } from './plan.ts';
import { LINK, listOf, parsed, recordOf, textOf } from './tool_answer.ts';

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
  /** The kernel has an answer of the last seconds; or somebody with NET_ADMIN has made it permanent; or `pinLink` has set it. */
  readonly state: 'reachable' | 'permanent' | 'pinned' | 'other';
}

/** Routes of these protocols come from the link and not from what set up the pod. Source: ip-route(8). */
const ADVERTISED: readonly unknown[] = ['ra', 'redirect'];

/** All interfaces but `lo`, up or not. @throws SluiceError `TOOL_*` */
export async function interfaces(): Promise<readonly Interface[]> {
  const args = ['addr', 'show'];
  const found = await ipJson(args);
  // There is always `lo`. Without interfaces nothing that leaves would be looked at.
  if (found.length === 0) throw new SluiceError('TOOL_FAILED', `ip ${args.join(' ')} names no interface`);
  return found.flatMap((one) => {
    const name = textOf(one.ifname, 'ip: the name of an interface');
    const flags = listOf(one.flags, `ip: the flags of ${name}`);
    if (flags.includes('LOOPBACK')) return [];
    const type = textOf(one.link_type, `ip: the type of ${name}`);
    return [{ name, hasLinks: type === 'ether' && !flags.includes('NOARP') }];
  });
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

/** The gateways of the default routes, each family's. @throws SluiceError `TOOL_*` */
export async function defaultGateways(): Promise<readonly Gateway[]> {
  const found: Gateway[] = [];
  for (const family of kernelFamilies()) {
    for (const route of await ipJson([`-${family}`, 'route', 'show', 'default'])) {
      const more = listOf(route.nexthops ?? [], 'ip: the next hops of a route');
      for (const hop of [route, ...more.map((one) => recordOf(one, 'ip: a next hop'))]) {
        const address = gatewayOf(hop);
        const device = hop.dev ?? route.dev;
        if (address === undefined || device === undefined) continue;
        const advertised = ADVERTISED.includes(route.protocol);
        found.push({ address, device: textOf(device, 'ip: the device of a route'), advertised });
      }
    }
  }
  return found;
}

/** Through whom an address is reached; `undefined` where no route leads there. @throws SluiceError `TOOL_*` */
export async function hopTo(address: string): Promise<Hop | undefined> {
  const [route] = await ipJson([`-${familyOf(address)}`, 'route', 'get', address]);
  if (route?.dev === undefined || route.type === 'local' || route.dev === 'lo') return undefined;
  const device = textOf(route.dev, 'ip: the device of a route');
  return { address: gatewayOf(route) ?? canonicalAddress(address), device };
}

/** In canonical form: `gateway`, or `via` where it is of the other family. */
function gatewayOf(hop: Readonly<Record<string, unknown>>): string | undefined {
  const said = hop.gateway ?? (hop.via === undefined ? undefined : recordOf(hop.via, 'ip: via').host);
  return said === undefined ? undefined : canonicalAddress(textOf(said, 'ip: a gateway'));
}

/** As ip(8) has them, and what they mean here. */
const STATES = [
  ['PERMANENT', 'permanent'],
  ['NOARP', 'pinned'],
  ['REACHABLE', 'reachable'],
] as const;

/** What the kernel knows of a neighbour. @throws SluiceError `TOOL_*` */
export async function neighbour({ address, device }: Hop): Promise<Neighbour> {
  const [found = {}] = await ipJson(['neigh', 'show', 'to', address, 'dev', device]);
  const states = listOf(found.state ?? [], 'ip: the state of a neighbour');
  const link = found.lladdr;
  const usable = link !== undefined && !states.includes('FAILED') && !states.includes('INCOMPLETE');
  return {
    link: usable ? textOf(String(link).toLowerCase(), 'ip: a link-layer address', LINK) : undefined,
    state: STATES.find(([name]) => states.includes(name))?.[1] ?? 'other',
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

/** Has the kernel use a link-layer address for a neighbour, also where others claim another one, until `askLink` or `forget`. */
export async function pinLink({ address, device }: Hop, link: string): Promise<void> {
  // Not `permanent`: by that, entries of somebody else are known.
  await tryTool('ip', ['neigh', 'replace', address, 'lladdr', link, 'dev', device, 'nud', 'noarp']);
}

/** Forgets a neighbour, so that the kernel asks everybody. */
export async function forget({ address, device }: Hop): Promise<void> {
  await tryTool('ip', ['neigh', 'del', address, 'dev', device]);
}

/** @returns an empty list where the tool fails: there is no such family, or no such thing */
async function ipJson(args: readonly string[]): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const { status, stdout } = await tryTool('ip', ['-j', ...args]);
  if (status !== 0) return [];
  const what = `ip ${args.join(' ')}`;
  return listOf(parsed(stdout || '[]', what), what).map((one) => recordOf(one, what));
}
