/**
 * Pods that do not exist, and that rules admit if they come: one for each peer that nobody is, or that may be of any namespace, with
 * just the labels that the peer asks for. Of rules that change also where somebody is the peer, but nobody is to rules just what such
 * a pod would be. They are judged as any pod is.
 */
import {
  type Cluster,
  formatSelector,
  isEmptySelector,
  type LabelSelector,
  type Labels,
  matchesSelector,
  NAMESPACE_NAME_LABEL,
  type Namespace,
  namespaceLabels,
  type Pod,
  requirementsOf,
} from '../../policy/index.ts';
import { changedPeers, createAlikePods, type Place } from './alike_pods.ts';
import type { KnownPod } from './known_pods.ts';
import { ANY, labelsFor, leftOutValues, variantsOf } from './made_labels.ts';

/** Pods that may come, and the namespaces that they may come with. */
export interface PodCandidates {
  readonly pods: readonly CandidatePod[];
  readonly namespaces: readonly Namespace[];
  /** Peers for which there is none, because there were too many. */
  readonly leftOut: number;
}

/** One of them. */
export interface CandidatePod {
  readonly pod: Pod;
  /** Such as `any pod app=web of shop`. */
  readonly name: string;
}

/** Pods of all peers together. Each is an end. */
const MAX_CANDIDATES = 200;

/** Namespaces that are known of one peer: a label that more have is for all, and a row names each. */
const MAX_KNOWN = 10;

/** For the peers of all these clusters; of other namespaces than those that are known there is always one. */
export function podCandidates(clusters: readonly Cluster[], pods: readonly KnownPod[]): PodCandidates {
  const known = Map.groupBy(pods, ({ pod }) => pod.namespace);
  const found = new Map<string, CandidatePod>();
  const namespaces = new Map<string, Namespace>();
  let leftOut = 0;
  const add = (place: NamespacePlace, selector: LabelSelector | undefined): void => {
    const labels = labelsFor(selector);
    if (labels === undefined) return;
    const name = `any pod ${selector === undefined || isEmptySelector(selector) ? '' : `${formatSelector(selector)} `}of ${place.text}`;
    if (found.has(name)) return;
    if (found.size >= MAX_CANDIDATES) {
      leftOut += 1;
      return;
    }
    if (place.labels !== undefined) namespaces.set(place.name, { name: place.name, labels: place.labels });
    found.set(name, { name, pod: candidate(place.name, name, labels) });
  };
  const somebody = new Map<string, boolean>();
  const isSomebody = ({ name, selector }: NamespacePlace, pod: LabelSelector | undefined): boolean => {
    const key = JSON.stringify([name, pod]);
    const before = somebody.get(key);
    if (before !== undefined) return before;
    const places =
      selector === undefined
        ? [name]
        : [...known.keys()].filter((place) =>
            clusters.some((one) => matchesSelector(selector, namespaceLabels(one, place))),
          );
    const is = places.some((place) => hasPod(known.get(place) ?? [], pod));
    somebody.set(key, is);
    return is;
  };
  const changed = changedPeers(clusters);
  const alike = createAlikePods(clusters, known);
  const isThere = (
    place: NamespacePlace,
    selector: LabelSelector | undefined,
    isChanged: boolean,
  ): boolean => {
    if (place.isAny) return false;
    if (!isChanged) return isSomebody(place, selector);
    if (found.size >= MAX_CANDIDATES) return false; // It is left out, or known.
    const labels = labelsFor(selector);
    return labels !== undefined && alike.has(place, labels);
  };
  const changedPods = [...changed].filter((peer) => peer.kind === 'pods');
  const podValues = leftOutValues(
    changedPods.map((peer) => peer.podSelector ?? EVERY),
    MAX_CANDIDATES,
  );
  const namespaceValues = leftOutValues(
    changedPods.map((peer) => peer.namespaceSelector ?? EVERY),
    MAX_CANDIDATES,
  );
  leftOut += podValues.beyond + namespaceValues.beyond;
  /**
   * Of a peer that changes each of the values that it has the choice of, as one of them may be new; and those that a peer leaves out,
   * as it may do so no longer.
   */
  const alternatives = (
    selector: LabelSelector,
    isChanged: boolean,
    { values }: typeof podValues,
  ): readonly LabelSelector[] => {
    if (!isChanged) return [selector];
    const all = variantsOf(selector, values);
    if (found.size >= MAX_CANDIDATES) {
      // There is no room for more, and names of that many take long to make.
      leftOut += all.length - 1;
      return [selector];
    }
    leftOut += Math.max(0, all.length - MAX_CANDIDATES);
    return all.slice(0, MAX_CANDIDATES);
  };
  const places = [...known.keys()].sort();
  const likeBySelector = new Map<string, readonly NamespacePlace[]>();
  /** A label means new pods of the namespaces that are known and have it, too: these are judged by the policies of their own. */
  const knownLike = ({ name: key, selector, isAny }: NamespacePlace): readonly NamespacePlace[] => {
    if (selector === undefined || isAny) return [];
    const before = likeBySelector.get(key);
    if (before !== undefined) return before;
    const like = places.filter((name) =>
      clusters.some((one) => matchesSelector(selector, namespaceLabels(one, name))),
    );
    leftOut += Math.max(0, like.length - MAX_KNOWN);
    const found = like.slice(0, MAX_KNOWN).map((name) => ({ name, text: name }));
    likeBySelector.set(key, found);
    return found;
  };
  add(otherNamespace(EVERY), undefined);
  for (const cluster of clusters)
    for (const { namespace, ingress, egress } of cluster.policies.values())
      for (const { peers } of [...ingress, ...egress])
        for (const peer of peers) {
          if (peer.kind !== 'pods') continue;
          const isChanged = changed.has(peer);
          const { podSelector, namespaceSelector } = peer;
          const selectors = alternatives(podSelector ?? EVERY, isChanged, podValues);
          const meant = placesOf(namespaceSelector, namespace, cluster, (one) =>
            alternatives(one, isChanged, namespaceValues),
          );
          for (const place of meant)
            for (const selector of selectors) {
              if (isThere(place, selector, isChanged)) continue;
              add(place, selector);
              for (const one of knownLike(place)) if (!isThere(one, selector, isChanged)) add(one, selector);
            }
        }
  return { pods: [...found.values()], namespaces: [...namespaces.values()], leftOut };
}

/** A namespace that a peer means. */
interface NamespacePlace extends Place {
  readonly text: string;
  /** By which it was meant, where not by its name. */
  readonly selector?: LabelSelector;
  /** Whether every namespace is meant: those who may make one get in. */
  readonly isAny?: boolean;
}

/** The namespaces that a peer names; where it goes by other labels, one that may come. */
function placesOf(
  namespaceSelector: LabelSelector | undefined,
  own: string,
  cluster: Cluster,
  alternatives: (selector: LabelSelector) => readonly LabelSelector[],
): readonly NamespacePlace[] {
  if (namespaceSelector === undefined) return [{ name: own, text: own }];
  const named = namesOf(namespaceSelector);
  if (named === undefined)
    return alternatives(namespaceSelector).map((one) => {
      const [name] = namesOf(one) ?? [];
      return name === undefined ? otherNamespace(one) : { name, text: name };
    });
  return named
    .filter((name) => matchesSelector(namespaceSelector, namespaceLabels(cluster, name)))
    .map((name) => ({ name, text: name }));
}

/** The names to which a selector is bound, if it is. */
function namesOf(selector: LabelSelector): readonly string[] | undefined {
  for (const requirement of requirementsOf(selector)) {
    if (requirement.key !== NAMESPACE_NAME_LABEL) continue;
    if (requirement.operator === 'Equals') return [requirement.value];
    if (requirement.operator === 'In') return requirement.values;
  }
  return undefined;
}

const EVERY: LabelSelector = { matchLabels: {}, matchExpressions: [] };

function otherNamespace(selector: LabelSelector): NamespacePlace {
  const isAny = isEmptySelector(selector);
  const name = `${ANY} ${formatSelector(selector)}`;
  return {
    name,
    text: isAny ? 'other namespaces' : `other namespaces ${formatSelector(selector)}`,
    labels: { [NAMESPACE_NAME_LABEL]: name, ...labelsFor(selector) },
    selector,
    isAny,
  };
}

function hasPod(pods: readonly KnownPod[], selector: LabelSelector | undefined): boolean {
  return pods.some(
    ({ pod }) => !pod.hostNetwork && (selector === undefined || matchesSelector(selector, pod.labels)),
  );
}

function candidate(namespace: string, name: string, labels: Labels): Pod {
  return {
    namespace,
    name,
    uid: name,
    labels,
    ips: [],
    hostIPs: [],
    hostNetwork: false,
    phase: 'Pending',
    ports: [],
    workload: name,
  };
}
