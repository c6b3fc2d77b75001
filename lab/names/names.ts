/** Names of labs and of what belongs to them. A network namespace's name says which lab and what it stands for. */

import { createHash } from 'node:crypto';
import { SluiceError } from '../../common/errors.ts';

/** The lab that commands mean when `--name` is absent. */
export const DEFAULT_LAB_NAME = 'lab';

/** Longest lab name, in characters: leaves room for the rest of a namespace's file name. */
const LAB_NAME_MAX_LENGTH = 30;

const LAB_NAME = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;

/** Longest namespace name used as it is, in characters; a file name may have 255 bytes. */
const NETNS_NAME_MAX_LENGTH = 200;

/** Digits of a hash in an interface name: with its one-letter prefix well below the kernel's 15 characters. */
const INTERFACE_HASH_LENGTH = 12;

/**
 * Checks a lab's name: 1 to 30 lower-case letters, digits and inner dashes.
 * @throws SluiceError `LAB_NAME_INVALID`
 */
export function checkLabName(name: string): string {
  if (name.length <= LAB_NAME_MAX_LENGTH && LAB_NAME.test(name)) return name;
  throw new SluiceError(
    'LAB_NAME_INVALID',
    `lab name ${JSON.stringify(name)} is not valid: use 1 to ${LAB_NAME_MAX_LENGTH} lower-case letters, digits and dashes, starting and ending with a letter or digit`,
  );
}

/**
 * What all namespaces of a lab start with. The dot cannot be part of a lab's name, so that the labs `a` and `a-b`
 * never take each other's namespaces for their own.
 */
export function netnsPrefix(lab: string): string {
  return `sluice-${lab}.`;
}

/** The namespace of a pod, such as `sluice-lab.pod.shop.web-0`. */
export function podNetns(lab: string, key: string): string {
  return netnsName(lab, `pod.${key.replace('/', '.')}`);
}

/** The namespace of a node, such as `sluice-lab.node.worker-1`. */
export function nodeNetns(lab: string, node: string): string {
  return netnsName(lab, `node.${node}`);
}

/** The namespace that stands for everything outside the cluster. */
export function outsideNetns(lab: string): string {
  return netnsName(lab, 'outside');
}

/** An interface's name: one letter that says what it leads to, and a hash of whose it is. */
export function interfaceName(letter: string, owner: string): string {
  return `${letter}${shortHash(owner)}`;
}

/** A name for files of an object: readable, without a slash, and never the same for two objects. */
export function fileSlug(key: string): string {
  const readable = key.replaceAll('/', '_').replace(/[^A-Za-z0-9._-]/g, '-');
  return readable.length <= NETNS_NAME_MAX_LENGTH ? readable : `${readable.slice(0, 150)}-${shortHash(key)}`;
}

function netnsName(lab: string, rest: string): string {
  const name = `${netnsPrefix(lab)}${rest.replace(/[^A-Za-z0-9._-]/g, '-')}`;
  return name.length <= NETNS_NAME_MAX_LENGTH ? name : `${name.slice(0, 150)}-${shortHash(rest)}`;
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, INTERFACE_HASH_LENGTH);
}
