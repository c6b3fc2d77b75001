/** Ingress and egress rules of a policy. Source: `NetworkPolicyIngressRule`, `NetworkPolicyEgressRule`. */

import { PROTOCOLS } from '../../common/net.ts';
import type { Direction, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicyRule } from '../model.ts';
import type { Field } from './field.ts';
import { readIPBlock } from './parse_ip_block.ts';
import { readSelector } from './parse_selector.ts';
import { portNameProblems, portNumberProblems } from './syntax.ts';

function readPeer(field: Field): NetworkPolicyPeer | undefined {
  if (!field.object(['podSelector', 'namespaceSelector', 'ipBlock'])) return undefined;
  const podField = field.child('podSelector');
  const namespaceField = field.child('namespaceSelector');
  const blockField = field.child('ipBlock');
  const selects = !podField.isAbsent || !namespaceField.isAbsent;
  // A peer says something: an empty one is refused, lest it be taken for "everyone".
  if (!selects && blockField.isAbsent) field.required('must specify a peer');
  const ipBlock = blockField.isAbsent ? undefined : readIPBlock(blockField);
  // ipBlock: stands alone.
  if (selects && !blockField.isAbsent) field.forbidden('may not specify both ipBlock and another peer');
  const podSelector = podField.isAbsent ? undefined : readSelector(podField);
  const namespaceSelector = namespaceField.isAbsent ? undefined : readSelector(namespaceField);
  if (!selects) return ipBlock === undefined ? undefined : { kind: 'ipBlock', ipBlock };
  return {
    kind: 'pods',
    ...(podSelector === undefined ? {} : { podSelector }),
    ...(namespaceSelector === undefined ? {} : { namespaceSelector }),
  };
}

function readPortNumberOrName(field: Field): number | string | undefined {
  if (field.isAbsent) return undefined;
  if (typeof field.value === 'string') {
    field.invalidAll(portNameProblems(field.value));
    return field.value;
  }
  if (typeof field.value !== 'number' || !Number.isInteger(field.value)) {
    field.invalid('must be a port number or the name of a container port');
    return undefined;
  }
  field.invalidAll(portNumberProblems(field.value));
  return field.value;
}

function readPort(field: Field): NetworkPolicyPort | undefined {
  if (!field.object(['protocol', 'port', 'endPort'])) return undefined;
  // protocol: TCP where it is left out.
  const protocol = field.child('protocol').word(PROTOCOLS) ?? 'TCP';
  const portField = field.child('port');
  const port = readPortNumberOrName(portField);
  const endField = field.child('endPort');
  const endPort = endField.integer();
  if (endPort !== undefined) {
    // endPort: only with a numeric port, and not below it.
    if (portField.isAbsent) endField.invalid('may not be specified when `port` is not specified');
    else if (typeof port === 'string') endField.invalid('may not be specified when `port` is non-numeric');
    else if (port !== undefined && endPort < port)
      endField.invalid('must be greater than or equal to `port`');
    endField.invalidAll(portNumberProblems(endPort));
  }
  return {
    protocol,
    ...(port === undefined ? {} : { port }),
    ...(endPort === undefined ? {} : { endPort }),
  };
}

/** Reads one rule; undefined when it is no object. An item that cannot be read is left out, with an error reported. */
export function readRule(field: Field, direction: Direction): NetworkPolicyRule | undefined {
  const peersName = direction === 'ingress' ? 'from' : 'to';
  if (!field.object(['ports', peersName])) return undefined;
  const ports = field.child('ports').items().map(readPort);
  const peers = field.child(peersName).items().map(readPeer);
  return {
    peers: peers.filter((peer) => peer !== undefined),
    ports: ports.filter((port) => port !== undefined),
  };
}
