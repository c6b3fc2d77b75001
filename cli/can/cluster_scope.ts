/** What of a cluster a question needs: the namespaces of its two ends, and all where an end is an address. */
import type { Scope } from '../input/index.ts';
import type { CanCommand } from './can_options.ts';
import { type EndpointRef, parseEndpointRef } from './endpoint_ref.ts';

/**
 * @param namespace of names without one
 * @throws SluiceError `ENDPOINT_INVALID`
 */
export function scopeOf(command: CanCommand, namespace: string): Scope {
  const toNamespace = command.toNamespace ?? namespace;
  const own = [...new Set([namespace, toNamespace])];
  if (command.kind === 'batch') return { namespaces: 'all', fallback: own, services: 'optional' };
  const { from, to } = command.question;
  return scopeOfEnds([parse(from, namespace), parse(to, toNamespace)], own);
}

/** @param own the namespaces of names without one */
export function scopeOfEnds(refs: readonly EndpointRef[], own: readonly string[]): Scope {
  const named = [...new Set(refs.flatMap((ref) => ('namespace' in ref ? [ref.namespace] : [])))];
  const isAddress = refs.some(({ kind }) => kind === 'address' || kind === 'block');
  return {
    namespaces: isAddress ? 'all' : named,
    fallback: named.length > 0 ? named : own,
    services: refs.some(({ kind }) => kind === 'service') ? 'required' : 'optional',
  };
}

function parse(text: string, namespace: string): EndpointRef {
  return parseEndpointRef(text, { namespace, hasNamespace: () => false });
}
