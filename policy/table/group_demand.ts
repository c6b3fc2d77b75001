/** What a selector demands and what a pod offers: spares asking most of many groups about an address. */

import type { Labels } from '../model.ts';
import type { PodsPeer } from '../rules/index.ts';
import type { PodIdentity } from './table.ts';

/**
 * One thing that every pod a selector matches has: a label, its namespace, or a label of its namespace. Undefined where
 * the selector demands no single value, as with expressions only.
 */
export function groupDemand(test: Omit<PodsPeer, 'kind'>): string | undefined {
  const { namespace, namespaceSelector, podSelector } = test;
  const [label] = Object.entries(podSelector?.matchLabels ?? {});
  if (label !== undefined) return `pod ${label[0]}=${label[1]}`;
  if (namespace !== undefined) return `namespace ${namespace}`;
  const [namespaceLabel] = Object.entries(namespaceSelector?.matchLabels ?? {});
  return namespaceLabel && `in ${namespaceLabel[0]}=${namespaceLabel[1]}`;
}

/** All that a pod has of what a group may demand. */
export function groupOffers(
  { namespace, labels }: Pick<PodIdentity, 'namespace' | 'labels'>,
  namespaceLabels: Labels,
): string[] {
  const offered = [`namespace ${namespace}`];
  for (const [key, value] of Object.entries(labels)) offered.push(`pod ${key}=${value}`);
  for (const [key, value] of Object.entries(namespaceLabels)) offered.push(`in ${key}=${value}`);
  return offered;
}
