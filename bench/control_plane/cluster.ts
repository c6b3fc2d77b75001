/** The cluster that the control plane is measured with: namespaces of equal pods, with the policies that people write. */
import {
  type ClusterChange,
  type NetworkPolicy,
  type NetworkPolicyRule,
  objectKey,
  type Pod,
} from '../../policy/index.ts';

/** How large it is. */
export interface ClusterSize {
  readonly namespaces: number;
  /** Of each namespace. */
  readonly podsPerNamespace: number;
  /** Of each namespace: the pods that have a sidecar; the others come and go. */
  readonly sidecarsPerNamespace: number;
}

/** Namespaces of one team, whose pods may reach each other. */
const TEAM_NAMESPACES = 5;

/** Pods of a namespace take turns. */
const APPS = ['web', 'api', 'db', 'jobs', 'cache'];

/** Policies of each namespace: see `policiesOf`. */
export const POLICIES_PER_NAMESPACE = 4;

/** The name of a namespace. */
export function namespaceName(index: number): string {
  return `team-${Math.floor(index / TEAM_NAMESPACES)}-${index % TEAM_NAMESPACES}`;
}

/**
 * A pod, by its namespace, its place in it, and how many had the place before: name, UID and address are its own.
 * @param change the number of the change that brings it, which its UID ends with, so that frames show it; 0: there from the start
 */
export function podAt(namespace: number, place: number, generation: number, change: number): Pod {
  const name = `pod-${place}-${generation}`;
  return {
    namespace: namespaceName(namespace),
    name,
    uid: `${namespace}-${place}-${generation}${change === 0 ? '' : `-c${change}`}`,
    labels: { app: APPS[place % APPS.length] ?? '', 'pod-template-hash': 'abcdef1234' },
    ips: [`10.${namespace}.${generation}.${place}`],
    hostIPs: ['192.168.0.1'],
    hostNetwork: false,
    phase: 'Running',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    workload: `deploy/${APPS[place % APPS.length]}`,
  };
}

function labelled(key: string, value: string) {
  return { matchLabels: { [key]: value }, matchExpressions: [] };
}

function policy(
  namespace: string,
  name: string,
  app: string | undefined,
  rule: NetworkPolicyRule,
): NetworkPolicy {
  const podSelector = app === undefined ? { matchLabels: {}, matchExpressions: [] } : labelled('app', app);
  return { namespace, name, podSelector, policyTypes: ['ingress'], ingress: [rule], egress: [] };
}

function policiesOf(index: number): NetworkPolicy[] {
  const namespace = namespaceName(index);
  const team = labelled('team', `${Math.floor(index / TEAM_NAMESPACES)}`);
  const monitoring = labelled('kubernetes.io/metadata.name', namespaceName(0));
  const http = [{ protocol: 'TCP' as const, port: 'http' }];
  return [
    // The whole namespace, to everything in it.
    policy(namespace, 'own', undefined, { peers: [{ kind: 'pods' }], ports: [] }),
    // The team's web pods, from five namespaces, to the api.
    policy(namespace, 'api', 'api', {
      peers: [{ kind: 'pods', podSelector: labelled('app', 'web'), namespaceSelector: team }],
      ports: http,
    }),
    // One namespace that watches all others.
    policy(namespace, 'monitoring', undefined, {
      peers: [{ kind: 'pods', podSelector: labelled('app', 'jobs'), namespaceSelector: monitoring }],
      ports: [{ protocol: 'TCP', port: 9090 }],
    }),
    // Everybody outside.
    policy(namespace, 'edge', 'web', {
      peers: [{ kind: 'ipBlock', ipBlock: { cidr: '0.0.0.0/0', except: ['10.0.0.0/8'] } }],
      ports: http,
    }),
  ];
}

/** All that makes the cluster. */
export function clusterObjects({ namespaces, podsPerNamespace }: ClusterSize): ClusterChange[] {
  const changes: ClusterChange[] = [];
  for (let index = 0; index < namespaces; index += 1) {
    const name = namespaceName(index);
    const labels = { 'kubernetes.io/metadata.name': name, team: `${Math.floor(index / TEAM_NAMESPACES)}` };
    changes.push({ kind: 'Namespace', key: name, object: { name, labels } });
    for (const object of policiesOf(index))
      changes.push({ kind: 'NetworkPolicy', key: objectKey(name, object.name), object });
    for (let place = 0; place < podsPerNamespace; place += 1) {
      const object = podAt(index, place, 0, 0);
      changes.push({ kind: 'Pod', key: objectKey(name, object.name), object });
    }
  }
  return changes;
}
