/** How people write the two ends of a flow: `namespace/pod`, `deploy/web`, `10.1.2.3`. */
import { isIP, isIPv6 } from 'node:net';
import { SluiceError } from '../../common/errors.ts';
import { printable } from '../../common/printable.ts';
import { canonicalAddress, DEFAULT_NAMESPACE, formatCidr, parseCidr } from '../../policy/index.ts';
import type { WorkloadKind } from '../../sources/index.ts';
import { KIND_WORDS } from '../kind_words.ts';
import { INTERNET } from '../public_addresses.ts';

/** One end of a flow, as it was written. Whether it exists is for `createEndpointResolver` to say. */
export type EndpointRef =
  | { readonly kind: 'address' /** Canonical. */; readonly address: string }
  /** Canonical, or `internet`. */
  | { readonly kind: 'block'; readonly block: string }
  /** A pod, or a workload of any kind where no pod has the name. */
  | { readonly kind: 'named'; readonly namespace: string; readonly name: string }
  | { readonly kind: 'pod'; readonly namespace: string; readonly name: string }
  | {
      readonly kind: 'workload';
      readonly workload: WorkloadKind;
      readonly namespace: string;
      readonly name: string;
    }
  | {
      readonly kind: 'service';
      readonly namespace: string;
      readonly name: string;
      /** Number or name, as it was written behind the name. */
      readonly port?: string;
    };

/** What names without a namespace mean. */
export interface NamingContext {
  /** From `-n`. */
  readonly namespace?: string;
  /** Whether there is such a namespace: `pod/x` may be a pod of the namespace `pod`. Asked only without `-n`. */
  hasNamespace(name: string): boolean;
}

/** Accepted in front of an address, as the conformance cases write it. */
const ADDRESS_PREFIX = 'ip:';

/** Whether a text names a Service with its port, so that no other port is needed. */
export function hasServicePort(text: string): boolean {
  const parts = text.split('/');
  return KIND_WORDS.get(parts.at(-2) ?? '') === 'svc' && (parts.at(-1) ?? '').includes(':');
}

/** Takes the protocol off a Service with its port: `svc/dns:53/UDP`, as cases of `sluice test` write it. */
export function splitServiceProtocol(text: string): { readonly end: string; readonly protocol?: string } {
  const at = text.lastIndexOf('/');
  const end = text.slice(0, Math.max(at, 0));
  return hasServicePort(end) ? { end, protocol: text.slice(at + 1) } : { end: text };
}

/** @throws SluiceError `ENDPOINT_INVALID` when the text has none of the accepted forms. */
export function parseEndpointRef(text: string, context: NamingContext): EndpointRef {
  const bare = withoutBrackets(text.startsWith(ADDRESS_PREFIX) ? text.slice(ADDRESS_PREFIX.length) : text);
  if (isIP(bare) !== 0) return { kind: 'address', address: canonicalAddress(bare) };

  const parts = text.split('/');
  if (parts.includes('')) throw invalid(text);
  const [first, second, third] = parts;
  if (first === undefined || parts.length > 3) throw invalid(text);
  if (isIP(first) !== 0) {
    const block = parseCidr(text);
    if (block !== undefined) return { kind: 'block', block: formatCidr(block.cidr) };
    throw new SluiceError(
      'ENDPOINT_INVALID',
      `'${printable(text)}' is no block of addresses, such as 10.0.0.0/8`,
    );
  }
  if (second === undefined) {
    if (first === INTERNET) return { kind: 'block', block: INTERNET };
    if (context.namespace === undefined) throw invalid(text);
    return { kind: 'named', namespace: context.namespace, name: first };
  }
  if (third === undefined) {
    const kind = KIND_WORDS.get(first);
    const isKind = kind !== undefined && (context.namespace !== undefined || !context.hasNamespace(first));
    return isKind
      ? ofKind(kind, context.namespace ?? DEFAULT_NAMESPACE, second)
      : { kind: 'named', namespace: first, name: second };
  }
  const kind = KIND_WORDS.get(second);
  if (kind === undefined) throw invalid(text);
  return ofKind(kind, first, third);
}

/** `[fd00::1]`, as URLs and listings of sockets have it (RFC 3986, 3.2.2), is `fd00::1`. */
function withoutBrackets(text: string): string {
  const inside = /^\[(.*)\]$/.exec(text)?.[1];
  return inside !== undefined && isIPv6(inside) ? inside : text;
}

function ofKind(kind: WorkloadKind | 'pod' | 'svc', namespace: string, name: string): EndpointRef {
  if (kind === 'svc') {
    const colon = name.indexOf(':');
    if (colon === -1) return { kind: 'service', namespace, name };
    return { kind: 'service', namespace, name: name.slice(0, colon), port: name.slice(colon + 1) };
  }
  return kind === 'pod' ? { kind, namespace, name } : { kind: 'workload', workload: kind, namespace, name };
}

function invalid(text: string): SluiceError {
  return new SluiceError(
    'ENDPOINT_INVALID',
    `'${printable(text)}' is not an IP address, NAMESPACE/POD, KIND/NAME (pod, svc, deploy, sts, ds, rs, rc, job, cronjob), ` +
      'a CIDR, internet or, with -n NAMESPACE, the name of a pod or workload',
  );
}
