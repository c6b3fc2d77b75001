/** Conformance cases on real pods: which cases can share a lab, what the lab has to have, and what a case probes in it. */

import { type Manifest, service } from '../../builders/manifests.ts';
import { type Case, type CasePod, caseObjects } from '../../conformance/case.ts';

/** Cases that run one after the other on the same pods. */
export interface CaseGroup {
  /** The first case's. */
  readonly name: string;
  readonly cases: readonly Case[];
  /** Every pod that some case has, by `namespace/name`. */
  readonly pods: ReadonlyMap<string, CasePod>;
  /** Every port that some probe dials: `TCP/80`. */
  readonly ports: readonly string[];
  /** Clients outside of the cluster. */
  readonly external: readonly string[];
}

/** One probe between two addresses, and its verdict. */
export interface PacketProbe {
  /** `namespace/name`, or `outside`. */
  readonly from: string;
  /** Whether the address is that of the target's Service. */
  readonly virtual: boolean;
  readonly source: string;
  readonly to: string;
  readonly address: string;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  readonly port: number;
  readonly expected: boolean;
}

interface Draft {
  readonly cases: Case[];
  readonly pods: Map<string, CasePod>;
  /** Who has an address. */
  readonly owners: Map<string, string>;
}

/** Puts cases together as long as every pod keeps its address and node, and every address its pod. */
export function groupCases(cases: readonly Case[]): readonly CaseGroup[] {
  const drafts: Draft[] = [];
  for (const one of cases) {
    let draft = drafts.find((candidate) => fits(candidate, one));
    if (draft === undefined) {
      draft = { cases: [], pods: new Map(), owners: new Map() };
      drafts.push(draft);
    }
    draft.cases.push(one);
    for (const pod of one.pods) {
      draft.pods.set(podKey(pod), draft.pods.get(podKey(pod)) ?? pod);
      draft.owners.set(pod.ip, podKey(pod));
    }
  }
  return drafts.map(({ cases, pods }) => {
    const probes = cases.flatMap((one) => one.probes);
    const sources = probes.flatMap(({ from, to }) =>
      [from, to].filter(isOutside).map((end) => end.slice('ip:'.length)),
    );
    return {
      name: cases[0]?.name ?? '',
      cases,
      pods,
      ports: [...new Set(probes.map(({ protocol, port }) => `${protocol}/${port}`))],
      external: [...new Set(sources)],
    };
  });
}

/**
 * What a group's lab is brought up with. Pods have an IPv6 address too, and serve every port that any probe dials,
 * so that only a verdict can keep a probe out.
 */
export function groupObjects(group: CaseGroup): readonly Manifest[] {
  const [first] = group.cases;
  if (first === undefined) return [];
  const namespaces = new Map(group.cases.flatMap((one) => one.namespaces).map((item) => [item.name, item]));
  const pods = [...group.pods.values()];
  return caseManifests({ ...first, namespaces: [...namespaces.values()], pods }, group).base;
}

/** A case's own objects: `base` stay when it is over, `policies` go. */
export function caseManifests(
  one: Case,
  group: CaseGroup,
): { readonly base: readonly Manifest[]; readonly policies: readonly Manifest[] } {
  const { nodes, namespaces, pods, policies } = caseObjects(one) as unknown as Record<string, Manifest[]>;
  const more = group.ports.map((text) => {
    const [protocol, port] = text.split('/');
    return { containerPort: Number(port), protocol };
  });
  const dual = (pods ?? []).map((manifest) => {
    const pod = structuredClone(manifest) as {
      spec: { containers: object[] };
      status: { podIP: string; podIPs?: object[] };
    };
    pod.status.podIPs = [{ ip: pod.status.podIP }, { ip: v6(pod.status.podIP) }];
    pod.spec.containers.push({ name: 'more', ports: more });
    return pod as unknown as Manifest;
  });
  const services = one.pods.flatMap((pod) => podService(pod, group.ports));
  return { base: [...(nodes ?? []), ...(namespaces ?? []), ...dual, ...services], policies: policies ?? [] };
}

/** A Service of the pod's own, as the upstream suite has it: the same ports at a virtual address of each family. */
function podService(
  { namespace, name, ip, hostNetwork }: CasePod,
  ports: readonly string[],
): readonly Manifest[] {
  if (hostNetwork) return [];
  const numbered = ports.map((text) => {
    const [protocol = '', port = ''] = text.split('/');
    return { name: `${protocol}-${port}`.toLowerCase(), protocol, port: Number(port) };
  });
  return [
    service(`${namespace}/svc-${name}`, {
      ips: [virtual(ip), virtual(v6(ip))],
      ports: [],
      more: { ports: numbered.map((port) => ({ ...port, targetPort: port.port })) },
    }),
    ...[ip, v6(ip)].map((address) => ({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        namespace,
        name: `svc-${name}-${address.includes(':') ? 'v6' : 'v4'}`,
        labels: { 'kubernetes.io/service-name': `svc-${name}` },
      },
      addressType: address.includes(':') ? 'IPv6' : 'IPv4',
      ports: numbered,
      endpoints: [{ addresses: [address], conditions: { ready: true } }],
    })),
  ];
}

/**
 * The probes of a case between pods with a sidecar and addresses outside, over both families and, to pods, through their
 * Services too. A case with address blocks states what holds for IPv4.
 */
export function packetProbes(one: Case): readonly PacketProbe[] {
  const pods = new Map(one.pods.map((pod) => [podKey(pod), pod]));
  const onlyV4 = JSON.stringify(one.policies).includes('ipBlock');
  return one.probes.flatMap(({ from, to, protocol, port, allowed }) => {
    const client = pods.get(from);
    const target = pods.get(to);
    if (target?.hostNetwork || client?.hostNetwork || (isOutside(from) && isOutside(to))) return [];
    const probe = { to, protocol, port, expected: allowed, virtual: false };
    if (client === undefined || target === undefined) {
      const source = client?.ip ?? from.slice('ip:'.length);
      const address = target?.ip ?? to.slice('ip:'.length);
      return [{ ...probe, from: client === undefined ? 'outside' : from, source, address }];
    }
    const direct = [{ ...probe, from, source: client.ip, address: target.ip }];
    if (!onlyV4) direct.push({ ...probe, from, source: v6(client.ip), address: v6(target.ip) });
    // A pod to itself through its Service is the node's hairpin: the suite leaves it out, and the lab's is for IPv4 only.
    if (from === to) return direct;
    return [...direct, ...direct.map((way) => ({ ...way, address: virtual(way.address), virtual: true }))];
  });
}

function fits({ pods, owners }: Draft, one: Case): boolean {
  return one.pods.every((pod) => {
    const known = pods.get(podKey(pod));
    const owner = owners.get(pod.ip);
    if (owner !== undefined && owner !== podKey(pod)) return false;
    return known === undefined || (known.ip === pod.ip && known.nodeIP === pod.nodeIP);
  });
}

/** The same address in IPv6: `10.1.2.12` is `fd00:1::2:12`. */
function v6(address: string): string {
  const [, , third, fourth] = address.split('.');
  return `fd00:1::${third}:${fourth}`;
}

/** The address of the Service of the pod at `address`. */
function virtual(address: string): string {
  return address.includes(':')
    ? address.replace('fd00:1::', 'fd00:96::')
    : address.replace(/^10\.1\./, '10.96.');
}

function podKey({ namespace, name }: CasePod): string {
  return `${namespace}/${name}`;
}

function isOutside(from: string): boolean {
  return from.startsWith('ip:');
}
