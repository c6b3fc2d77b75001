/** Peers, ports and rules in a few words. */

import { unreachable } from '../../../common/errors.ts';
import { counted, type Listed, namesText } from '../../listed.ts';
import type { PeerData, PortData, RuleData, WhoNow } from '../description.ts';

/** Exceptions of a block, and ports of a rule, that a line has. */
const FEW = 4;

/** `shop/*`, `shop/[app=web]`, `[team=books]/*`, `10.0.0.0/8 (except 10.1.0.0/16)`. */
export function peerText(peer: PeerData): string {
  switch (peer.kind) {
    case 'anybody':
      return 'anybody';
    case 'block': {
      const { cidr, except } = peer;
      return except.count === 0 ? cidr : `${cidr} (except ${namesText(except, FEW)})`;
    }
    case 'pods': {
      const { namespace, namespace_selector: selector, pod_selector: pods } = peer;
      const where = namespace ?? namespaceText(selector ?? '*');
      return `${where}/${pods === undefined ? '*' : `[${pods}]`}`;
    }
    default:
      return unreachable(peer);
  }
}

/** A selector that is the name of one namespace is that name. */
function namespaceText(selector: string): string {
  const name = /^kubernetes\.io\/metadata\.name=([a-z0-9-]+)$/.exec(selector)?.[1];
  return name ?? (selector === '*' ? '*' : `[${selector}]`);
}

/** Who a peer is now; of what is no pod nothing is known. @param most names */
export function nowText(peer: PeerData, most: number): string {
  if (peer.kind !== 'pods') return '-';
  const { known, pods, workloads } = peer.now;
  if (workloads.count === 0) return known ? 'nobody' : 'not known here';
  return `${known ? '' : 'at least '}${whoText({ pods, workloads }, most)}`;
}

/** `3 pods of 2 workloads: deploy/web, sts/db`; of templates `2 workloads: ...`; of one pod each `2 pods: ...`. */
export function whoText({ pods, workloads }: Omit<WhoNow, 'known'>, most: number): string {
  if (pods === workloads.count) return `${counted(pods, 'pod')}: ${namesText(workloads, most)}`;
  const of = `${counted(workloads.count, 'workload')}: ${namesText(workloads, most)}`;
  return pods === 0 ? of : `${counted(pods, 'pod')} of ${of}`;
}

/** `all`, `TCP/80`, `TCP/http (8080)`, `UDP/*`. */
export function portsText({ count, first }: Listed<PortData>, most = FEW): string {
  if (count === 0) return 'all';
  return namesText({ count, first: first.slice(0, most).map(portText) }, most);
}

function portText({ protocol, name, first, last, missing }: PortData): string {
  const range = first === undefined ? undefined : first === last ? `${first}` : `${first}-${last}`;
  if (name === undefined) return `${protocol}/${range ?? '*'}`;
  if (missing) return `${protocol}/${name} (no such port)`;
  return range === undefined ? `${protocol}/${name}` : `${protocol}/${name} (${range})`;
}

/** `scrape ingress[0]`, of another namespace than the reader's its whole name. */
export function ruleText({ policy, direction, rule }: RuleData): string {
  return `${policy.slice(policy.indexOf('/') + 1)} ${direction}[${rule}]`;
}

/** ` (web.yaml:12:5)`, or nothing. */
export function placeText({
  file,
  line,
  column,
}: {
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
}): string {
  return file === undefined ? '' : ` (${file}:${line}:${column})`;
}

/** `app=web,tier=back`. @param most labels */
export function labelsText(labels: Readonly<Record<string, string>>, most: number): string {
  const all = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  if (all.length === 0) return 'no labels';
  return `labels ${namesText({ count: all.length, first: all }, most)}`;
}
