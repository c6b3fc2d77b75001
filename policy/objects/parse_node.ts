/** Reads Node objects. Source: core v1 `Node`. */

import type { Node } from '../model.ts';
import type { Field } from './field.ts';
import { checkType, readClusterMetadata } from './parse_metadata.ts';
import { readAddress } from './parse_pod.ts';
import { type Parsed, parseObject } from './parsed.ts';

/** `NodeAddress.type` of addresses; the others are names. */
const IP_TYPES: readonly unknown[] = ['InternalIP', 'ExternalIP'];

function readNode(object: Field): Node {
  checkType(object, 'v1', 'Node');
  const { name } = readClusterMetadata(object, 'Node');
  const status = object.child('status');
  status.object();
  const addresses = status
    .child('addresses')
    .items()
    .filter((item) => item.object() && IP_TYPES.includes(item.child('type').value))
    .map((item) => readAddress(item.child('address')))
    .filter((address) => address !== undefined);
  return { name, addresses: [...new Set(addresses)] };
}

/** Reads a Node. */
export function parseNode(value: unknown): Parsed<Node> {
  return parseObject(value, readNode);
}
