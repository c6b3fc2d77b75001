/** Reads Service objects. Source: core v1 `ServiceSpec` and the API server's validation. */

import { PROTOCOLS } from '../../common/net.ts';
import { isRecord } from '../../common/shape.ts';
import { canonicalAddress, familyOf, parseAddress } from '../addresses/index.ts';
import type { Labels, Service, ServicePort } from '../model.ts';
import type { Field } from './field.ts';
import { checkType, readLabels, readNamespacedMetadata } from './parse_metadata.ts';
import { readAddress } from './parse_pod.ts';
import { type Parsed, parseObject } from './parsed.ts';
import { dnsLabelProblems, portNameProblems, portNumberProblems } from './syntax.ts';

const TYPES = ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'] as const;
const AFFINITIES = ['None', 'ClientIP'] as const;

/** `spec.clusterIP` of a Service without a virtual address. */
const HEADLESS = 'None';

/** `sessionAffinityConfig.clientIP.timeoutSeconds` where it is left out, in seconds (core v1). */
const DEFAULT_AFFINITY_SECONDS = 10_800;
/** The API's bounds of it, in seconds. */
const AFFINITY_SECONDS = { min: 1, max: 86_400 } as const;

/** The types whose Services have a port on each node. */
const NODE_PORT_TYPES: readonly unknown[] = ['NodePort', 'LoadBalancer'];

/** One address of each family. */
const MAX_CLUSTER_IPS = 2;

function readVirtualAddresses(spec: Field): string[] {
  const single = spec.child('clusterIP');
  const list = spec.child('clusterIPs');
  const items = list.items();
  // clusterIPs: the first of them is clusterIP; older manifests have that alone.
  const [first] = items;
  if (first !== undefined && !single.isAbsent && single.value !== '' && single.value !== first.value) {
    list.invalid('element [0] must match the value of `clusterIP`');
  }
  if (items.length > MAX_CLUSTER_IPS) list.invalid('may only hold up to 2 values');
  const fields = items.length > 0 ? items : [single];
  if (fields.some((field) => field.value === HEADLESS)) {
    if (fields.length > 1) list.invalid('None must be the first and only value');
    return [];
  }
  const addresses = fields.map(readAddress).filter((address) => address !== undefined);
  const [one, other] = addresses;
  if (one !== undefined && other !== undefined && familyOf(one) === familyOf(other)) {
    list.invalid('must specify no more than one IP for each IP family');
  }
  return addresses;
}

/** No table depends on these, so what is not an address counts as absent. */
function readExternalAddresses(object: Field): string[] {
  const spec = object.child('spec').child('externalIPs').value;
  const balancer = object.child('status').child('loadBalancer').child('ingress').value;
  const written: unknown[] = Array.isArray(spec) ? [...spec] : [];
  for (const point of Array.isArray(balancer) ? balancer : []) if (isRecord(point)) written.push(point.ip);
  return written.flatMap((text) =>
    typeof text === 'string' && parseAddress(text) !== undefined ? [canonicalAddress(text)] : [],
  );
}

function readTargetPort(field: Field, port: number): number | string {
  const { value } = field;
  // targetPort: the same as port where it is left out; an integer-or-string written as 0 or '' means the same.
  if (field.isAbsent || value === 0 || value === '') return port;
  if (typeof value === 'string') {
    field.invalidAll(portNameProblems(value));
    return value;
  }
  if (typeof value !== 'number' || !Number.isInteger(value)) {
    field.invalid('must be a port number or the name of a container port');
    return port;
  }
  field.invalidAll(portNumberProblems(value));
  return value;
}

/** No table depends on it, so what is not a port counts as absent. */
function readNodePort(field: Field): number | undefined {
  const { value } = field;
  return typeof value === 'number' && portNumberProblems(value).length === 0 ? value : undefined;
}

function readServicePort(
  field: Field,
  nameRequired: boolean,
  hasNodePorts: boolean,
): ServicePort | undefined {
  if (!field.object()) return undefined;
  const nameField = field.child('name');
  const name = nameField.filledText();
  // name: required where there are several ports.
  if (name === undefined && nameRequired) nameField.required();
  if (name !== undefined) nameField.invalidAll(dnsLabelProblems(name));
  const portField = field.child('port');
  const port = portField.integer();
  if (portField.isAbsent) portField.required();
  if (port !== undefined) portField.invalidAll(portNumberProblems(port));
  const protocolField = field.child('protocol');
  // protocol: TCP where it is left out.
  const protocol = protocolField.value === '' ? 'TCP' : (protocolField.word(PROTOCOLS) ?? 'TCP');
  const targetPort = readTargetPort(field.child('targetPort'), port ?? 0);
  const nodePort = hasNodePorts ? readNodePort(field.child('nodePort')) : undefined;
  if (port === undefined) return undefined;
  return {
    ...(name === undefined ? {} : { name }),
    protocol,
    port,
    targetPort,
    ...(nodePort === undefined ? {} : { nodePort }),
  };
}

function readPorts(field: Field, hasNodePorts: boolean): ServicePort[] {
  const items = field.items();
  const names = new Set<string>();
  const numbers = new Set<string>();
  const ports: ServicePort[] = [];
  for (const item of items) {
    const port = readServicePort(item, items.length > 1, hasNodePorts);
    if (port === undefined) continue;
    const number = `${port.protocol}/${port.port}`;
    // ports: a set by name, and a set by protocol and port.
    if (port.name !== undefined && names.has(port.name)) item.child('name').invalid('is there twice');
    if (numbers.has(number)) item.invalid(`${number} is there twice`);
    if (port.name !== undefined) names.add(port.name);
    numbers.add(number);
    ports.push(port);
  }
  return ports;
}

function readAffinitySeconds(spec: Field): number | undefined {
  // sessionAffinity: None where it is left out.
  const field = spec.child('sessionAffinity');
  if (field.value === '' || field.word(AFFINITIES) !== 'ClientIP') return undefined;
  const timeout = spec.child('sessionAffinityConfig').child('clientIP').child('timeoutSeconds');
  const seconds = timeout.integer() ?? DEFAULT_AFFINITY_SECONDS;
  const { min, max } = AFFINITY_SECONDS;
  if (seconds < min || seconds > max) timeout.invalid(`must be between ${min} and ${max}, inclusive`);
  return seconds;
}

function readSelector(field: Field): Labels | undefined {
  const selector = readLabels(field);
  // selector: absent or empty, the Service's EndpointSlices are made by somebody else.
  return Object.keys(selector).length === 0 ? undefined : selector;
}

function readService(object: Field): Service {
  checkType(object, 'v1', 'Service');
  const { namespace, name } = readNamespacedMetadata(object);
  const spec = object.child('spec');
  spec.object();
  const typeField = spec.child('type');
  const type = typeField.value === '' ? undefined : typeField.word(TYPES);
  const written = readVirtualAddresses(spec);
  // type: an ExternalName Service is a name in DNS and nothing else.
  const clusterIPs = type === 'ExternalName' ? [] : written;
  const portsField = spec.child('ports');
  const ports = readPorts(portsField, NODE_PORT_TYPES.includes(type));
  // ports: required, but not where nothing is served at an address.
  if (clusterIPs.length > 0 && ports.length === 0 && portsField.items().length === 0) portsField.required();
  const selector = readSelector(spec.child('selector'));
  const affinitySeconds = readAffinitySeconds(spec);
  const externalIPs = readExternalAddresses(object);
  return {
    namespace,
    name,
    clusterIPs,
    ...(externalIPs.length === 0 ? {} : { externalIPs: [...new Set(externalIPs)] }),
    ...(spec.child('externalTrafficPolicy').value === 'Local' ? { localTraffic: true } : {}),
    ...(spec.child('clusterIP').value === HEADLESS ? { headless: true } : {}),
    ports,
    ...(selector === undefined ? {} : { selector }),
    ...(affinitySeconds === undefined ? {} : { affinitySeconds }),
  };
}

/** Reads a Service. Only what its virtual addresses stand for is checked. */
export function parseService(value: unknown): Parsed<Service> {
  return parseObject(value, readService);
}
