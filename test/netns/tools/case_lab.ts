/** Conformance cases on real pods: which cases can share a lab, what the lab has to have, and what a case probes in it. */
import { evaluateFlow } from '../../../policy/index.ts';
import { type Case, type CasePod, caseCluster, caseObjects, probeEndpoint } from '../../conformance/case.ts';
import type { Manifest } from '../objects.ts';

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

/** One probe between two addresses, and the ingress verdict. */
export interface PacketProbe {
  /** `namespace/name`, or `outside`. */
  readonly from: string;
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
    const sources = probes.flatMap(({ from }) => (isOutside(from) ? [from.slice('ip:'.length)] : []));
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
  return { base: [...(nodes ?? []), ...(namespaces ?? []), ...dual], policies: policies ?? [] };
}

/**
 * The probes of a case that end at a pod with a sidecar, over both families. A case with address blocks states what
 * holds for IPv4.
 */
export function packetProbes(one: Case): readonly PacketProbe[] {
  const pods = new Map(one.pods.map((pod) => [podKey(pod), pod]));
  const cluster = caseCluster(one);
  const onlyV4 = JSON.stringify(one.policies).includes('ipBlock');
  return one.probes.flatMap(({ from, to, protocol, port, allowed }) => {
    const client = pods.get(from);
    const target = pods.get(to);
    if (target === undefined || target.hostNetwork || client?.hostNetwork) return [];
    const { ingress } = evaluateFlow(cluster, {
      source: probeEndpoint(cluster, from),
      destination: probeEndpoint(cluster, to),
      protocol,
      port,
    });
    const expected = allowed || ingress.verdict === 'allow';
    const probe = { to, protocol, port, expected };
    if (client === undefined)
      return [{ ...probe, from: 'outside', source: from.slice('ip:'.length), address: target.ip }];
    const v4Probe = { ...probe, from, source: client.ip, address: target.ip };
    return onlyV4 ? [v4Probe] : [v4Probe, { ...v4Probe, source: v6(client.ip), address: v6(target.ip) }];
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

function podKey({ namespace, name }: CasePod): string {
  return `${namespace}/${name}`;
}

function isOutside(from: string): boolean {
  return from.startsWith('ip:');
}
