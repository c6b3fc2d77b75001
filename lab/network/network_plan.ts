/**
 * The `ip` commands that turn one topology into another, as data: nothing here runs anything.
 *
 * A pod has its addresses as /32 and /128 on `eth0` and its node as default route. A node routes its own pods to its
 * bridge `br0`, other nodes' pods through `up0` to that node, and everything else through `up0` to `outside`, whose
 * bridge joins all nodes. Nodes without an address of a family get a link-local one, which pods use as gateway.
 */

import { familyOf } from '../../common/net.ts';
import { interfaceName } from '../names/index.ts';
import { firstOf, type LabNode, type LabPod, type Topology } from './topology.ts';

/** What has to be done, in the order of the fields. Commands are lines for `ip -batch`. */
export interface NetworkPlan {
  /** Commands inside namespaces that stay: take down what leads to removed pods. */
  readonly detach: ReadonlyMap<string, readonly string[]>;
  readonly removeNamespaces: readonly string[];
  readonly addNamespaces: readonly string[];
  /** veth pairs, made directly between the namespaces: the machine's own network is never touched. */
  readonly links: readonly string[];
  /** Commands inside namespaces: addresses, links up, routes. */
  readonly setup: ReadonlyMap<string, readonly string[]>;
}

/** The number of `outside` among the lab's own link-local addresses; nodes have 1 to 253. */
const OUTSIDE_INDEX = 254;

/** Written as prefixes: `ip -batch` takes the family from the address. */
const DEFAULT_ROUTE = { 4: '0.0.0.0/0', 6: '::/0' } as const;

/** Plans the way from `before` (absent: from nothing) to `after`. */
export function planNetwork(before: Topology | undefined, after: Topology): NetworkPlan {
  const detach = new Lines();
  const setup = new Lines();
  const links: string[] = [];
  const oldPods = byKey(before);
  const newPods = byKey(after);
  const oldNamespaces = new Set(before === undefined ? [] : namespacesOf(before));
  const newNamespaces = new Set(namespacesOf(after));
  const removeNamespaces = [...oldNamespaces].filter((netns) => !newNamespaces.has(netns));
  const addNamespaces = [...newNamespaces].filter((netns) => !oldNamespaces.has(netns));

  for (const [key, pod] of oldPods) {
    const next = newPods.get(key);
    if (next !== undefined && samePlace(pod, next)) continue;
    const node = before?.nodes.find((candidate) => candidate.name === pod.node);
    if (node !== undefined) detach.add(node.netns, `link del ${podInterface(pod)}`);
    if (next === undefined) continue;
    // The same name at another address is another pod: it starts from an empty namespace.
    removeNamespaces.push(pod.netns);
    addNamespaces.push(pod.netns);
  }

  if (before === undefined) setup.add(after.outside.netns, ...outsideLines());
  const oldOutside = new Set(before?.outside.addresses);
  for (const address of after.outside.addresses) {
    if (!oldOutside.has(address)) setup.add(after.outside.netns, addressLine(address, 'br0'));
  }
  const oldNodes = new Map(before?.nodes.map((node) => [node.name, node]));
  for (const node of after.nodes) {
    const old = oldNodes.get(node.name);
    if (old === undefined) addNode(node, after, links, setup);
    for (const address of node.addresses) {
      if (old?.addresses.includes(address) !== true) setup.add(node.netns, addressLine(address, 'br0'));
    }
    for (const address of old?.addresses ?? []) {
      if (!node.addresses.includes(address))
        setup.add(node.netns, `addr del ${address}/${width(address)} dev br0`);
    }
  }
  for (const [key, pod] of newPods) {
    const node = after.nodes.find((candidate) => candidate.name === pod.node);
    if (node === undefined) continue;
    const old = oldPods.get(key);
    const oldNode = oldNodes.get(pod.node);
    if (old === undefined || !samePlace(old, pod)) addPod(pod, node, links, setup);
    else if (oldNode?.addresses.join() !== node.addresses.join())
      setup.add(pod.netns, ...defaultRoutes(pod, node));
  }
  changeRoutes(before, after, detach, setup);
  const gone = new Set(removeNamespaces);
  for (const netns of gone) detach.drop(netns);
  return { detach: detach.map, removeNamespaces, addNamespaces, links, setup: setup.map };
}

/** All namespaces of a topology: pods, nodes, outside. */
function namespacesOf(topology: Topology): string[] {
  const own = topology.pods.filter((pod) => !pod.hostNetwork).map((pod) => pod.netns);
  return [topology.outside.netns, ...topology.nodes.map((node) => node.netns), ...own];
}

/** The namespaces that forward: nodes and outside. */
export function routersOf(topology: Topology): ReadonlySet<string> {
  return new Set([topology.outside.netns, ...topology.nodes.map((node) => node.netns)]);
}

/** The node's address that its pods use as their default route. */
export function gatewayOf(family: 4 | 6, node: LabNode): string {
  return firstOf(family, node.addresses) ?? linkLocal(family, node.index);
}

function outsideLines(): string[] {
  return [
    'link set lo up',
    bridgeLine(OUTSIDE_INDEX),
    'link set br0 up',
    ...([4, 6] as const).map((version) => addressLine(linkLocal(version, OUTSIDE_INDEX), 'br0')),
    // An address nobody has is refused at once, rather than timed out.
    'route add unreachable 0.0.0.0/0',
    'route add unreachable ::/0',
  ];
}

function addNode(node: LabNode, topology: Topology, links: string[], setup: Lines): void {
  const peer = interfaceName('n', node.name);
  links.push(`link add up0 netns ${node.netns} type veth peer name ${peer} netns ${topology.outside.netns}`);
  setup.add(topology.outside.netns, `link set ${peer} master br0`, `link set ${peer} up`);
  setup.add(
    node.netns,
    'link set lo up',
    bridgeLine(node.index),
    'link set br0 up',
    'link set up0 up',
    addressLine(linkLocal(4, node.index), 'br0'),
    addressLine(linkLocal(6, node.index), 'br0'),
    // IPv6 answers for an address only on the interface that has it: the uplink needs its own.
    `addr add ${linkLocal(6, node.index)}/64 dev up0 nodad`,
  );
}

function addPod(pod: LabPod, node: LabNode, links: string[], setup: Lines): void {
  const peer = podInterface(pod);
  links.push(`link add eth0 netns ${pod.netns} type veth peer name ${peer} netns ${node.netns}`);
  setup.add(node.netns, `link set ${peer} master br0`, `link set ${peer} up`);
  setup.add(pod.netns, 'link set lo up', 'link set eth0 up');
  for (const ip of pod.ips) setup.add(pod.netns, addressLine(ip, 'eth0'));
  setup.add(pod.netns, ...defaultRoutes(pod, node));
}

function defaultRoutes(pod: LabPod, node: LabNode): string[] {
  return ([4, 6] as const)
    .filter((version) => firstOf(version, pod.ips) !== undefined)
    .map(
      (version) => `route replace ${DEFAULT_ROUTE[version]} via ${gatewayOf(version, node)} dev eth0 onlink`,
    );
}

/** Brings the routes of nodes and `outside` from one topology to the next. */
function changeRoutes(before: Topology | undefined, after: Topology, detach: Lines, setup: Lines): void {
  const old = before === undefined ? new Map<string, Map<string, string>>() : routesOf(before);
  for (const [netns, routes] of routesOf(after)) {
    const had = old.get(netns);
    for (const [target, line] of routes) {
      if (had?.get(target) !== line) setup.add(netns, line);
    }
    for (const target of had?.keys() ?? []) {
      if (!routes.has(target)) detach.add(netns, `route del ${target}`);
    }
  }
}

/** Per router its routes: target address to command. */
function routesOf(topology: Topology): Map<string, Map<string, string>> {
  const all = new Map<string, Map<string, string>>();
  for (const router of topology.nodes) {
    const routes = new Map<string, string>();
    for (const version of [4, 6] as const) {
      const target = DEFAULT_ROUTE[version];
      routes.set(target, routeLine(target, `via ${linkLocal(version, OUTSIDE_INDEX)} dev up0`, router));
    }
    for (const node of topology.nodes) {
      if (node.name === router.name) continue;
      for (const ip of node.addresses) routes.set(ip, routeLine(ip, viaNode(node, ip, 'up0'), router));
    }
    for (const pod of topology.pods) {
      if (pod.hostNetwork) continue;
      const node = topology.nodes.find((candidate) => candidate.name === pod.node);
      if (node === undefined) continue;
      for (const ip of pod.ips) {
        const how = node.name === router.name ? 'dev br0' : viaNode(node, ip, 'up0');
        routes.set(ip, routeLine(ip, how, router));
      }
    }
    all.set(router.netns, routes);
  }
  const outside = new Map<string, string>();
  for (const node of topology.nodes) {
    const pods = topology.pods.filter((pod) => pod.node === node.name && !pod.hostNetwork);
    for (const ip of [...node.addresses, ...pods.flatMap((pod) => pod.ips)]) {
      outside.set(ip, routeLine(ip, viaNode(node, ip, 'br0'), topology.outside));
    }
  }
  all.set(topology.outside.netns, outside);
  return all;
}

/** The router's own first address is the source of what it sends itself, as on a real node. */
function routeLine(target: string, how: string, router: { readonly addresses: readonly string[] }): string {
  const own = firstOf(familyOf(target), router.addresses);
  const onlink = how.startsWith('via') ? ' onlink' : '';
  return `route replace ${target} ${how}${onlink}${own === undefined ? '' : ` src ${own}`}`;
}

function viaNode(node: LabNode, target: string, device: string): string {
  return `via ${linkLocal(familyOf(target), node.index)} dev ${device}`;
}

/** With an address of its own: a bridge otherwise takes one of its ports', and changes it under its neighbours. */
function bridgeLine(index: number): string {
  const address = `02:53:4c:55:49:${index.toString(16).padStart(2, '0')}`;
  return `link add br0 address ${address} type bridge mcast_snooping 0`;
}

function linkLocal(version: 4 | 6, index: number): string {
  return version === 4 ? `169.254.77.${index}` : `fe80::51:${index.toString(16)}`;
}

function addressLine(address: string, device: string): string {
  if (familyOf(address) === 6) {
    const bits = address.startsWith('fe80:') ? 64 : 128;
    return `addr add ${address}/${bits} dev ${device} nodad`;
  }
  return `addr add ${address}/32 dev ${device}`;
}

function width(address: string): number {
  return familyOf(address) === 6 ? 128 : 32;
}

function podInterface(pod: LabPod): string {
  return interfaceName('p', pod.key);
}

function samePlace(a: LabPod, b: LabPod): boolean {
  return a.node === b.node && a.ips.join() === b.ips.join() && a.hostNetwork === b.hostNetwork;
}

function byKey(topology: Topology | undefined): Map<string, LabPod> {
  const own = topology?.pods.filter((pod) => !pod.hostNetwork) ?? [];
  return new Map(own.map((pod) => [pod.key, pod]));
}

/** Commands by namespace, in the order they were added. */
class Lines {
  readonly map = new Map<string, string[]>();

  add(netns: string, ...lines: string[]): void {
    const known = this.map.get(netns);
    if (known === undefined) this.map.set(netns, lines);
    else known.push(...lines);
  }

  drop(netns: string): void {
    this.map.delete(netns);
  }
}
