/** Who can reach whom in one cluster: pods and addresses, put together by what policies can tell apart. */
import {
  addressOwners,
  type Cluster,
  type ContainerPort,
  type Direction,
  familyOf,
  isLive,
  type Namespace,
  nodeAddresses,
  objectKey,
  type Pod,
  requirementsOf,
} from '../../policy/index.ts';
import { type Isolation, Isolations } from './isolation.ts';
import type { Networks, Region } from './networks.ts';
import { type Peer, PeerTests } from './peer_tests.ts';
import type { Stance } from './stance.ts';

/** The stances of a cluster. */
export interface Connectivity {
  /** @param pod of the cluster, or another that stands for pods that may come */
  stanceOfPod(pod: Pod): Stance;
  /** The stances of addresses that no pod has: regions by stance. */
  readonly networks: ReadonlyMap<Stance, readonly Region[]>;
  /** The peers that rules name, by the numbers that ends have in `Peer.is`; equal for equal peers of any cluster. */
  readonly peerTexts: readonly string[];
}

/** The blocks that policies of a cluster name: where addresses have to be cut. */
export function blocksOfPolicies({ policies }: Cluster): readonly string[] {
  return [...policies.values()].flatMap(({ ingress, egress }) =>
    [...ingress, ...egress].flatMap(({ peers }) =>
      peers.flatMap((peer) => (peer.kind === 'ipBlock' ? [peer.ipBlock.cidr, ...peer.ipBlock.except] : [])),
    ),
  );
}

/**
 * @param networks cut at least where policies of this cluster cut
 * @param more namespaces of pods that may come
 */
export function createConnectivity(
  { namespaces, ...parts }: Cluster,
  networks: Networks,
  more: readonly Namespace[] = [],
): Connectivity {
  const cluster = {
    ...parts,
    namespaces: new Map([...more.map((one) => [one.name, one] as const), ...namespaces]),
  };
  const tests = new PeerTests(cluster);
  const isolations = new Isolations(cluster, tests);
  const owners = addressOwners(cluster);
  const words = wordsOfPolicies(cluster);
  const stances = new Map<string, Stance>();
  const known = new Map<string, Stance>();

  const make = (
    facts: Omit<Stance, 'id' | 'peerAt'>,
    peers: ReadonlyMap<4 | 6 | undefined, Peer>,
    none: Peer,
  ): Stance => {
    const { isSubject, egress, ingress, families } = facts;
    const key = JSON.stringify([
      isSubject,
      egress?.key,
      ingress?.key,
      families,
      none.id,
      families.map((family) => peers.get(family)?.id),
    ]);
    const found = stances.get(key) ?? {
      id: stances.size,
      ...facts,
      peerAt: (family) => peers.get(family) ?? none,
    };
    stances.set(key, found);
    return found;
  };

  const stanceOfPod = (pod: Pod): Stance => {
    const labels = Object.fromEntries(Object.entries(pod.labels).filter(([key]) => words.labels.has(key)));
    const ports = namedPorts(pod, words.ports);
    const regions = new Map<4 | 6, Region>();
    for (const address of addressesOf(pod, cluster, owners)) {
      const region = networks.regionOf(address);
      const family = familyOf(address);
      if (region !== undefined && !regions.has(family)) regions.set(family, region);
    }
    const { namespace, hostNetwork } = pod;
    const key = JSON.stringify([
      namespace,
      hostNetwork,
      labels,
      ports,
      [...regions].map(([family, { index }]) => [family, index]),
    ]);
    const before = known.get(key);
    if (before !== undefined) return before;
    // A host-network pod is its node: an address without a pod, whom no policy selects.
    const facts = hostNetwork ? {} : { pod: { namespace, labels, ports } };
    const isolation = (direction: Direction): { readonly [one in Direction]?: Isolation } => {
      const found = hostNetwork ? undefined : isolations.of({ namespace, labels }, direction, ports);
      return found === undefined ? {} : { [direction]: found };
    };
    const peers = new Map([...regions].map(([family, region]) => [family, tests.peer({ ...facts, region })]));
    const stance = make(
      {
        isSubject: !hostNetwork,
        ...isolation('egress'),
        ...isolation('ingress'),
        families: [...regions.keys()],
      },
      peers,
      tests.peer(facts),
    );
    known.set(key, stance);
    return stance;
  };

  const byPeer = Map.groupBy(networks.regions, (region) => tests.peer({ region }));
  const nobody = tests.peer({});
  return {
    stanceOfPod,
    peerTexts: tests.texts,
    networks: new Map(
      [...byPeer].map(([peer, regions]) => {
        const families = [...new Set(regions.map(({ family }) => family))];
        return [
          make({ isSubject: false, families }, new Map(families.map((one) => [one, peer])), nobody),
          regions,
        ];
      }),
    ),
  };
}

/** Label keys that selectors ask for, and names of ports that rules use: what else pods have makes no difference. */
function wordsOfPolicies({ policies }: Cluster): {
  readonly labels: ReadonlySet<string>;
  readonly ports: ReadonlySet<string>;
} {
  const labels = new Set<string>();
  const ports = new Set<string>();
  for (const { podSelector, ingress, egress } of policies.values()) {
    for (const { key } of requirementsOf(podSelector)) labels.add(key);
    for (const rule of [...ingress, ...egress]) {
      for (const { port } of rule.ports) if (typeof port === 'string') ports.add(port);
      for (const peer of rule.peers)
        if (peer.kind === 'pods' && peer.podSelector !== undefined)
          for (const { key } of requirementsOf(peer.podSelector)) labels.add(key);
    }
  }
  return { labels, ports };
}

function namedPorts({ ports }: Pod, names: ReadonlySet<string>): readonly ContainerPort[] {
  return ports
    .filter(({ name }) => name !== undefined && names.has(name))
    .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

/** A finished pod has none, and an address that a newer pod took is that pod's. */
function addressesOf(pod: Pod, cluster: Cluster, owners: ReadonlyMap<string, Pod>): readonly string[] {
  if (pod.hostNetwork) return pod.ips.length > 0 ? pod.ips : nodeAddresses(cluster, pod);
  if (!isLive(pod)) return [];
  return pod.ips.filter((ip) => {
    const owner = owners.get(ip);
    return (
      owner === undefined || objectKey(owner.namespace, owner.name) === objectKey(pod.namespace, pod.name)
    );
  });
}
