/** Reads EndpointSlice objects. Source: discovery.k8s.io/v1 `EndpointSlice` and the API server's validation. */

import { PROTOCOLS } from '../../common/net.ts';
import { familyOf } from '../addresses/index.ts';
import type { EndpointPort, EndpointSlice, ServiceEndpoint } from '../model.ts';
import type { Field } from './field.ts';
import { checkType, readNamespacedMetadata } from './parse_metadata.ts';
import { readAddress } from './parse_pod.ts';
import { type Parsed, parseObject } from './parsed.ts';
import { dnsLabelProblems, portNumberProblems } from './syntax.ts';

/** The label that says whose endpoints a slice holds. Source: discovery.k8s.io/v1, `LabelServiceName`. */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';

const ADDRESS_TYPES = ['IPv4', 'IPv6', 'FQDN'] as const;
type AddressType = (typeof ADDRESS_TYPES)[number];

function readEndpointAddress(field: Field, type: AddressType | undefined): string | undefined {
  if (field.isAbsent || field.value === '') field.required();
  // addressType FQDN: names, which no virtual address leads to.
  if (type === 'FQDN') return undefined;
  const address = readAddress(field);
  if (address === undefined || type === undefined) return address;
  if ((familyOf(address) === 6) !== (type === 'IPv6')) field.invalid(`must be an ${type} address`);
  return address;
}

function readEndpoint(field: Field, type: AddressType | undefined): ServiceEndpoint | undefined {
  if (!field.object()) return undefined;
  const addressesField = field.child('addresses');
  const items = addressesField.items();
  // addresses: at least one.
  if (items.length === 0) addressesField.required('must contain at least 1 address');
  const addresses = items.map((item) => readEndpointAddress(item, type));
  const conditions = field.child('conditions');
  conditions.object();
  // conditions.ready: absent means unknown, which is taken as ready.
  const ready = conditions.child('ready');
  return {
    addresses: addresses.filter((address) => address !== undefined),
    ready: ready.isAbsent || ready.flag(),
  };
}

function readEndpointPort(field: Field): EndpointPort | undefined {
  if (!field.object()) return undefined;
  const nameField = field.child('name');
  const name = nameField.filledText();
  if (name !== undefined) nameField.invalidAll(dnsLabelProblems(name));
  const protocolField = field.child('protocol');
  // protocol: TCP where it is left out.
  const protocol = protocolField.value === '' ? 'TCP' : (protocolField.word(PROTOCOLS) ?? 'TCP');
  const portField = field.child('port');
  const port = portField.integer();
  if (port !== undefined) portField.invalidAll(portNumberProblems(port));
  // port: absent is up to who reads the slice; a Service cannot send anything there, and kube-proxy does not.
  if (port === undefined) return undefined;
  return { ...(name === undefined ? {} : { name }), protocol, port };
}

function readEndpointSlice(object: Field): EndpointSlice {
  checkType(object, 'discovery.k8s.io/v1', 'EndpointSlice');
  const { namespace, name, labels } = readNamespacedMetadata(object);
  const typeField = object.child('addressType');
  if (typeField.isAbsent) typeField.required();
  const type = typeField.word(ADDRESS_TYPES);
  const service = Object.hasOwn(labels, SERVICE_NAME_LABEL) ? labels[SERVICE_NAME_LABEL] : undefined;
  const endpoints = object
    .child('endpoints')
    .items()
    .map((item) => readEndpoint(item, type));
  const ports = object.child('ports').items().map(readEndpointPort);
  return {
    namespace,
    name,
    ...(service === undefined || service === '' ? {} : { service }),
    ports: ports.filter((port) => port !== undefined),
    endpoints: endpoints.filter((endpoint) => endpoint !== undefined),
  };
}

/** Reads an EndpointSlice. */
export function parseEndpointSlice(value: unknown): Parsed<EndpointSlice> {
  return parseObject(value, readEndpointSlice);
}
