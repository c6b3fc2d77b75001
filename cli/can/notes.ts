/** What a verdict rests on without being known, or may be mistaken for: a sentence each. */
import { NODE_TRAFFIC_ANNOTATION } from '../../injector/admission/index.ts';
import {
  type Cluster,
  type Direction,
  isLive,
  type LabelSelector,
  NAMESPACE_NAME_LABEL,
  type NetworkPolicy,
  objectKey,
  type Pod,
  type Protocol,
  policiesByNamespace,
  requirementsOf,
  type Service,
  type Verdict,
} from '../../policy/index.ts';
import { assumedLabels } from '../../sources/index.ts';
import type { Answer, AskedService, Judged } from './answer.ts';
import { type Party, partyName } from './endpoint_resolver.ts';
import type { NodePorts } from './node_ports.ts';
import { type Front, hidesSource } from './service_fronts.ts';

/** Writes the notes of answers about one cluster. */
export interface Notes {
  of(answer: Omit<Answer, 'notes'>): readonly string[];
}

/** What depends on the cluster only is worked out once. */
export function createNotes(cluster: Cluster, nodePorts: NodePorts): Notes {
  const policies = policiesByNamespace(cluster);
  const finished = finishedOwners(cluster);

  const finishedPod = (party: Party): readonly string[] => {
    const { pod, endpoint } = party;
    if (pod !== undefined && !isLive(pod))
      return [
        `${partyName(party)} has finished (${pod.phase}): it has no connections, and its address is nobody's; ` +
          'the answer is that of a pod like it',
      ];
    const before =
      pod === undefined && endpoint.kind === 'address' ? finished.get(endpoint.address) : undefined;
    return before === undefined
      ? []
      : [
          `${partyName(party)} was the address of ${objectKey(before.namespace, before.name)}, which has finished`,
        ];
  };

  /** Labels beyond the name decide rules, and nobody says which ones the peer's namespace has. */
  const unknownNamespace = (
    judged: Judged,
    subject: Party,
    peer: Party,
    direction: Direction,
  ): readonly string[] => {
    const { pod } = peer;
    if (pod === undefined || pod.hostNetwork || subject.pod === undefined) return [];
    if (cluster.namespaces.has(pod.namespace)) return [];
    const isolating = new Set(judged.isolating[direction].map(({ name }) => name));
    const used = (policies.get(subject.pod.namespace) ?? [])
      .filter(({ name }) => isolating.has(name))
      .filter((policy) =>
        policy[direction].some(({ peers }) =>
          peers.some((test) => test.kind === 'pods' && namesMoreThanTheName(test.namespaceSelector)),
        ),
      );
    return used.length === 0
      ? []
      : [
          `no Namespace ${pod.namespace} was read: its labels are not known, and ` +
            `${used.map(({ namespace, name }) => objectKey(namespace, name)).join(', ')} asks for some`,
        ];
  };

  /** Which of a workload's pods is meant, where policies distinguish them. */
  const template = (party: Party): readonly string[] => {
    const { pod, fromTemplate } = party;
    if (pod === undefined || !fromTemplate) return [];
    const used = assumedLabels(pod).find((label) =>
      [...cluster.policies.values()].some((policy) => mentions(policy, label)),
    );
    return used === undefined
      ? []
      : [
          `${pod.namespace}/${pod.workload} stands for all its pods, and policies ask for ${used}: ` +
            `this answer is about ${used}=${pod.labels[used]}`,
        ];
  };

  /** The verdict says what the API says; the pod lets in less from its own node. */
  const narrowedNode = ({ destination, flow, port }: Judged, protocol: Protocol): readonly string[] => {
    const { ingress } = flow;
    const { pod } = destination;
    if (pod === undefined || ingress.verdict === 'deny' || ingress.reason !== 'own-node') return [];
    const ports = nodePorts(pod);
    if (ports === undefined || (protocol === 'TCP' && ports.includes(port))) return [];
    return [
      `${partyName(destination)} has ${NODE_TRAFFIC_ANNOTATION}=probes, which this answer leaves out: behind a sidecar it takes ` +
        `from its own node only TCP to ${ports.length === 0 ? 'no port' : ports.join(', ')}, and what its policies admit`,
    ];
  };

  return {
    of(answer) {
      const { source, service } = answer;
      const isHidden = service?.front !== undefined && hidesSource(service.service, service.front);
      const judged = service?.candidates ?? [answer];
      return [
        ...new Set([
          ...finishedPod(source),
          ...template(source),
          ...judged.flatMap((one) => [
            ...finishedPod(one.destination),
            ...template(one.destination),
            ...narrowedNode(one, answer.protocol),
            ...unknownNamespace(one, source, one.destination, 'egress'),
            ...(isHidden ? [] : unknownNamespace(one, one.destination, source, 'ingress')),
            ...(service === undefined ? [] : servicePorts(one, service)),
          ]),
          ...(service === undefined ? [] : serviceNotes(service, answer.verdict)),
        ]),
      ];
    },
  };
}

/** The commonest mistake: a rule with a port that clients use, while policies see the pod's. */
function servicePorts({ flow, port }: Judged, service: AskedService): readonly string[] {
  const { front } = service;
  const nodePort = front?.kind === 'node' ? [front.nodePort] : [];
  // Where nodes translate, the source's egress policies do see the port that was asked about.
  const ofPods =
    front === undefined || front.kind === 'cluster' ? [flow.egress, flow.ingress] : [flow.ingress];
  return [service.port, ...nodePort].flatMap((asked) =>
    asked !== port && ofPods.some((verdict) => wantedPort(verdict, asked))
      ? [`${asked} is the Service's port: policies see the port of its pods, ${port}`]
      : [],
  );
}

/** Whether the rule that came nearest fails by naming this port. */
function wantedPort(verdict: Verdict, port: number): boolean {
  if (verdict.verdict === 'allow' || verdict.reason !== 'no-rule') return false;
  const test = verdict.near?.[0]?.tests[0];
  return test?.failed === 'port' && new RegExp(`/${port}\\b`).test(test.wanted);
}

function serviceNotes(asked: AskedService, verdict: Answer['verdict']): readonly string[] {
  const { service, backends, candidates, front } = asked;
  const { affinitySeconds } = service;
  const sticky =
    affinitySeconds !== undefined && verdict === 'partly'
      ? [
          `a client stays with one backend (sessionAffinity): for it the answer is allowed or denied throughout`,
        ]
      : [];
  const left = backends.length - candidates.length;
  const picked =
    left > 0
      ? [
          `egress policies of the source deny ${left} of ${backends.length} backends: its connections go to the others`,
        ]
      : [];
  return [...picked, ...sticky, ...(front === undefined ? [] : sourceNotes(service, front))];
}

/** Under whose address connections arrive that nodes translate. */
function sourceNotes(service: Service, front: Front): readonly string[] {
  if (front.kind === 'cluster' || service.localTraffic === true) return [];
  return front.kind === 'external'
    ? ['a node may send it on under its own address, which pods of that node always let in']
    : [
        `externalTrafficPolicy is Cluster: the node sends connections on under its own address, ${front.address}, and its ` +
          'own pods always let that in',
      ];
}

function finishedOwners(cluster: Cluster): ReadonlyMap<string, Pod> {
  const owners = new Map<string, Pod>();
  for (const pod of cluster.pods.values())
    if (!isLive(pod) && !pod.hostNetwork) for (const ip of pod.ips) owners.set(ip, pod);
  return owners;
}

function namesMoreThanTheName(selector: LabelSelector | undefined): boolean {
  return selector !== undefined && requirementsOf(selector).some(({ key }) => key !== NAMESPACE_NAME_LABEL);
}

/** Whether a policy selects by a label anywhere. */
function mentions(policy: NetworkPolicy, key: string): boolean {
  const peers = [...policy.ingress, ...policy.egress].flatMap((rule) => rule.peers);
  const selectors = [
    policy.podSelector,
    ...peers.map((peer) => (peer.kind === 'pods' ? peer.podSelector : undefined)),
  ];
  return selectors.some(
    (selector) => selector !== undefined && requirementsOf(selector).some((one) => one.key === key),
  );
}
