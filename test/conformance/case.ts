/** Conformance cases: their form, where they are, and the cluster each one describes. */

import { readdirSync, readFileSync } from 'node:fs';
import {
  type Cluster,
  type Endpoint,
  type FieldError,
  type Namespace,
  type NetworkPolicy,
  type Node,
  objectKey,
  type Parsed,
  type Pod,
  type Protocol,
  parseNamespace,
  parseNetworkPolicy,
  parseNode,
  parsePod,
} from '../../policy/index.ts';

/** A pod of a case. */
export interface CasePod {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ip: string;
  readonly nodeIP: string;
  readonly containerPorts: readonly {
    readonly name?: string;
    readonly port: number;
    readonly protocol: Protocol;
  }[];
  readonly hostNetwork: boolean;
}

/** A flow of a case and whether it passes. */
export interface CaseProbe {
  /** `ns/pod` or `ip:ADDRESS`. */
  readonly from: string;
  readonly to: string;
  readonly port: number;
  readonly protocol: Protocol;
  readonly allowed: boolean;
  /** The verdict is from the API's text, not from the suite. */
  readonly derived?: boolean;
}

/** One state of one conformance case. */
export interface Case {
  readonly name: string;
  readonly source: string;
  readonly tags?: readonly string[];
  /** The API leaves it open: reported apart. */
  readonly contested?: boolean;
  readonly namespaces: readonly {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
  }[];
  readonly pods: readonly CasePod[];
  /** API objects as written. */
  readonly policies: readonly unknown[];
  readonly probes: readonly CaseProbe[];
}

const CASES = new URL('cases/', import.meta.url);

/** Reads all cases, by path. */
export function readCases(): Case[] {
  const paths = readdirSync(CASES, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.json'),
  );
  return paths.sort().map((path) => JSON.parse(readFileSync(new URL(path, CASES), 'utf8')) as Case);
}

/** The API objects of a case: Nodes, Namespaces, Pods with status, NetworkPolicies; what a cluster would list. */
export function caseObjects(one: Case): {
  readonly nodes: unknown[];
  readonly namespaces: unknown[];
  readonly pods: unknown[];
  readonly policies: readonly unknown[];
} {
  const nodeIPs = [...new Set(one.pods.map((pod) => pod.nodeIP))];
  return {
    nodes: nodeIPs.map((address) => ({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: nodeName(address) },
      status: { addresses: [{ type: 'InternalIP', address }] },
    })),
    namespaces: one.namespaces.map(({ name, labels }) => ({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels },
    })),
    pods: one.pods.map((pod) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: pod.namespace, name: pod.name, labels: pod.labels },
      spec: {
        nodeName: nodeName(pod.nodeIP),
        hostNetwork: pod.hostNetwork,
        containers: [
          {
            name: 'app',
            ports: pod.containerPorts.map(({ port, ...rest }) => ({ ...rest, containerPort: port })),
          },
        ],
      },
      status: { phase: 'Running', podIP: pod.ip, hostIP: pod.nodeIP },
    })),
    policies: one.policies,
  };
}

function nodeName(address: string): string {
  return `node-${address.replaceAll(/[.:]+/g, '-')}`;
}

function accept<T>(parsed: Parsed<T>): T {
  if (parsed.ok) return parsed.object;
  const problems = parsed.errors.map(({ path, message }: FieldError) => `${path}: ${message}`);
  throw new Error(`a case's object is refused: ${problems.join('; ')}`);
}

/** The cluster a case describes, read as its API objects would be. Throws when one of them is refused. */
export function caseCluster(one: Case): Cluster {
  const objects = caseObjects(one);
  const keyed = <T extends Pod | NetworkPolicy>(list: T[]) =>
    new Map(list.map((object) => [objectKey(object.namespace, object.name), object]));
  const named = <T extends Namespace | Node>(list: T[]) =>
    new Map(list.map((object) => [object.name, object]));
  return {
    nodes: named(objects.nodes.map((value) => accept(parseNode(value)))),
    namespaces: named(objects.namespaces.map((value) => accept(parseNamespace(value)))),
    pods: keyed(objects.pods.map((value) => accept(parsePod(value)))),
    policies: keyed(objects.policies.map((value) => accept(parseNetworkPolicy(value)))),
    services: new Map(),
    endpointSlices: new Map(),
  };
}

/** An end of a probe: `ns/pod` or `ip:ADDRESS`. */
export function probeEndpoint(cluster: Cluster, text: string): Endpoint {
  if (text.startsWith('ip:')) return { kind: 'address', address: text.slice('ip:'.length) };
  const pod = cluster.pods.get(text);
  if (pod === undefined) throw new Error(`a probe names pod ${text}, which the case does not have`);
  return { kind: 'pod', pod };
}
