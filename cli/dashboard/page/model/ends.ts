/** The ends of flows as the page knows them: an id, and words for people. */
import type { ObservedEnd } from '../../../../flows/index.ts';

/** A workload, a node, or an address. */
export interface End {
  /** Equal for the same end, and different for others with any names. */
  readonly id: string;
  readonly kind: ObservedEnd['kind'] | 'namespace';
  /** Under which it is drawn; empty: under none. */
  readonly group: string;
  /** Whether the group is a namespace. */
  readonly isNamespaced: boolean;
  /** `deploy`, `sts`; empty where it has no kind. */
  readonly sort: string;
  /** `web`. */
  readonly label: string;
  /** `shop/deploy/web`: as commands take it. */
  readonly name: string;
}

/** Groups of what is in no namespace. */
export const OUTSIDE = 'outside';
const NODES = 'nodes';
const UNKNOWN = 'unknown';

/** Made of an end of a flow. */
export function endOf({ kind, namespace, workload, pod, address }: ObservedEnd): End {
  switch (kind) {
    case 'workload':
      return workloadEnd(namespace ?? 'default', workload ?? `pod/${pod ?? '?'}`);
    case 'node': {
      const label = workload ?? address ?? 'a node';
      return {
        id: id('n', label),
        kind,
        group: NODES,
        isNamespaced: false,
        sort: 'node',
        label,
        name: label,
      };
    }
    case 'external': {
      const label = address ?? 'other';
      return { id: id('x', label), kind, group: OUTSIDE, isNamespaced: false, sort: '', label, name: label };
    }
    default: {
      const label = address ?? 'unknown';
      return { id: id('u', label), kind, group: UNKNOWN, isNamespaced: false, sort: '', label, name: label };
    }
  }
}

/** `deploy/web` of a namespace. */
export function workloadEnd(namespace: string, workload: string): End {
  const slash = workload.indexOf('/');
  return {
    id: id('w', namespace, workload),
    kind: 'workload',
    group: namespace,
    isNamespaced: true,
    sort: slash === -1 ? '' : workload.slice(0, slash),
    label: workload.slice(slash + 1),
    name: `${namespace}/${workload}`,
  };
}

/** The whole group of an end, as one end. */
export function groupEnd({ group, isNamespaced, kind }: End): End {
  return {
    id: id('g', String(isNamespaced), group),
    kind: isNamespaced ? 'namespace' : kind,
    group: '',
    isNamespaced: false,
    sort: '',
    label: group,
    name: group,
  };
}

function id(...parts: readonly string[]): string {
  return JSON.stringify(parts);
}
