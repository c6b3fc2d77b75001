/**
 * What a pod's rules ask of other pods: so much of another pod, and no more, is needed to explain a verdict about it, and to say what
 * may have been meant.
 */
import type { LabelSelector, Labels } from '../model.ts';
import { NAMESPACE_NAME_LABEL, type PodsPeer, requirementsOf, singleValue } from '../rules/index.ts';
import type { DirectionTable, PeerIdentity } from './table.ts';

/** What selectors ask of labels. */
interface AskedOfLabels {
  readonly keys: ReadonlySet<string>;
  /** Values that are asked for alone: another label that has one may have been meant. */
  readonly values: ReadonlySet<string>;
}

/** What is asked of labels, and names of ports. */
export interface AskedOfPeers {
  readonly labels: AskedOfLabels;
  readonly namespaceLabels: AskedOfLabels;
  readonly ports: ReadonlySet<string>;
}

const NO_LABELS: AskedOfLabels = { keys: new Set(), values: new Set() };

/** What nobody asks for. */
export const NOTHING_ASKED: AskedOfPeers = {
  labels: NO_LABELS,
  namespaceLabels: NO_LABELS,
  ports: new Set(),
};

/** Labels that are sent because of their value alone: an object may have many thousands. */
const MAX_BY_VALUE = 16;

/**
 * What rules ask for.
 * @param peers the selectors that the rules name
 * @param egress names of ports are resolved at the peer in this direction only
 */
export function askedOfPeers(peers: readonly PodsPeer[], egress: DirectionTable): AskedOfPeers {
  const ports = egress.rules.flatMap((rule) => rule.ports.flatMap(({ name }) => name ?? []));
  return {
    labels: askedOfLabels(peers.flatMap(({ podSelector }) => podSelector ?? [])),
    namespaceLabels: askedOfLabels(peers.flatMap(({ namespaceSelector }) => namespaceSelector ?? [])),
    ports: new Set(ports),
  };
}

function askedOfLabels(selectors: readonly LabelSelector[]): AskedOfLabels {
  const requirements = selectors.flatMap((selector) => requirementsOf(selector));
  return {
    keys: new Set(requirements.map(({ key }) => key)),
    values: new Set(requirements.flatMap((requirement) => singleValue(requirement) ?? []).filter(Boolean)),
  };
}

/** A pod by its name and what is asked for. */
export function asFarAsAsked(peer: PeerIdentity, asked: AskedOfPeers): PeerIdentity {
  return {
    ...peer,
    labels: labelsAsked(peer.labels, asked.labels),
    namespaceLabels: labelsAsked(peer.namespaceLabels, asked.namespaceLabels),
    ports: peer.ports.filter(({ name }) => name !== undefined && asked.ports.has(name)),
  };
}

function labelsAsked(labels: Labels, { keys, values }: AskedOfLabels): Labels {
  let byValue = 0;
  const isAsked = ([key, value]: readonly [string, string]): boolean => {
    if (keys.has(key)) return true;
    if (!values.has(value)) return false;
    byValue += 1;
    return byValue <= MAX_BY_VALUE || key === NAMESPACE_NAME_LABEL;
  };
  return Object.fromEntries(Object.entries(labels).filter(isAsked));
}
