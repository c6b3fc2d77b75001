/** Policies that cost much for their size, as one tenant may write them: in the form the API has. */

import { unreachable } from '../../common/errors.ts';

/** What is large in them. */
const HOSTILE_SHAPES = ['selectors', 'rules', 'ports', 'exceptions', 'overlap'] as const;
export type HostileShape = (typeof HOSTILE_SHAPES)[number];

/** A NetworkPolicy that selects every pod of a namespace. */
export interface HostilePolicy {
  readonly apiVersion: 'networking.k8s.io/v1';
  readonly kind: 'NetworkPolicy';
  readonly metadata: { readonly namespace: string; readonly name: string };
  readonly spec: object;
}

/**
 * One of them.
 * @param size how many selectors, rules or exceptions
 * @param edit another number is another wording of the same size
 */
export function hostilePolicy(
  namespace: string,
  name: string,
  shape: HostileShape,
  size: number,
  edit: number,
): HostilePolicy {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { namespace, name },
    spec: { podSelector: {}, policyTypes: ['Ingress'], ingress: rulesOf(shape, size, edit) },
  };
}

const PORTS = 60_000;

/** Ports of a rule of the shape `ports`. */
const PORTS_OF_RULE = 20;

function rulesOf(shape: HostileShape, size: number, edit: number): object[] {
  const many = <T>(make: (index: number) => T): T[] =>
    Array.from({ length: size }, (_, index) => make(index));
  const port = (index: number) => ({ port: 1 + ((index + edit) % PORTS) });
  switch (shape) {
    case 'selectors': {
      // Each matches nearly every pod of the cluster, and is another one than all before.
      const selector = (index: number) => ({
        matchExpressions: [{ key: 'app', operator: 'NotIn', values: [`v${index}-${edit}`] }],
      });
      return many((index) => ({
        from: [{ namespaceSelector: {}, podSelector: selector(index) }],
        ports: [port(index)],
      }));
    }
    case 'rules':
      return many((index) => ({
        from: [{ ipBlock: { cidr: `${address(index)}/32` } }],
        ports: [port(index)],
      }));
    case 'ports':
      return many((index) => ({
        ports: Array.from({ length: PORTS_OF_RULE }, (_, i) => port((index * PORTS_OF_RULE + i) * 3)),
      }));
    case 'exceptions':
      return [
        {
          from: [{ ipBlock: { cidr: '0.0.0.0/0', except: many((index) => `${address(index + edit)}/32`) } }],
        },
      ];
    case 'overlap':
      return many((index) => ({
        from: [{ ipBlock: { cidr: '0.0.0.0/0', except: [`${address(2 * index)}/32`] } }],
        ports: [port(index)],
      }));
    default:
      return unreachable(shape);
  }
}

/** Every second address from 11.0.0.0 on. */
function address(index: number): string {
  const number = 2 * index;
  return `11.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`;
}
