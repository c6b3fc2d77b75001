/** Makes the shapes of tables: what of each is its own. */

import type { Direction } from '../model.ts';
import { isSubject, nodeAddresses } from '../rules/index.ts';
import { Comparisons, directionOf, type PolicyRules, sameData } from '../table/index.ts';
import type { ClusterState } from './cluster_state.ts';
import { RuleCompiler } from './table_rules.ts';
import type { TableShape } from './table_shape.ts';

/** What a shape has of its policies. */
type ShapePolicies = Pick<TableShape, 'policies' | 'ingress' | 'egress'>;

/** Of one cluster, by the policies that are in force. */
export class ShapeMaker {
  readonly #state: ClusterState;
  readonly #rules = new RuleCompiler();
  readonly #comparisons = new Comparisons();
  /** By the policies of a shape, and then by those of the shape before it. Many pods go from the one to the other. */
  readonly #reused = new WeakMap<TableShape['policies'], WeakMap<TableShape['policies'], ShapePolicies>>();

  constructor(state: ClusterState) {
    this.#state = state;
  }

  /** The shape of a pod's table as the cluster is; undefined where policy cannot select the pod. */
  shape(podKey: string): TableShape | undefined {
    const { cluster, directory, policies, injectors } = this.#state;
    const pod = cluster.pods.get(podKey);
    if (pod === undefined || !isSubject(pod)) return undefined;
    const rules = this.#rules.rules(policies.inForce(pod.namespace), pod);
    return {
      subject: {
        namespace: pod.namespace,
        name: pod.name,
        uid: pod.uid,
        // An address that another pod has taken over is no longer this pod's.
        ips: directory.addressesOf(pod),
        nodeIPs: nodeAddresses(cluster, pod),
        ports: pod.ports,
        workload: pod.workload,
        labels: pod.labels,
        ...(injectors.length === 0 ? {} : { injectors }),
      },
      ...rules,
      hasServices: rules.egress.isolating.length > 0,
    };
  }

  /**
   * The shape of a pod's table, with parts that say the same as in `previous` taken from there; `previous` itself when all
   * do.
   */
  shapeAfter(previous: TableShape | undefined, podKey: string): TableShape | undefined {
    const shape = this.shape(podKey);
    if (shape === undefined || previous === undefined) return shape;
    const { policies, groups } = previous;
    const reused: TableShape = {
      ...shape,
      ...pick(this.#reusePolicies(shape, previous)),
      subject: sameData(shape.subject, previous.subject) ? previous.subject : shape.subject,
      groups: this.#reuse(shape.groups, groups),
    };
    const isSame =
      reused.subject === previous.subject && reused.policies === policies && reused.groups === groups;
    return isSame ? previous : reused;
  }

  /** Policies that say the same as before are the same objects: they need not be sent again. */
  #reusePolicies({ policies }: TableShape, previous: TableShape): ShapePolicies {
    if (policies === previous.policies) return previous;
    const known = this.#reused.get(policies) ?? new WeakMap<TableShape['policies'], ShapePolicies>();
    this.#reused.set(policies, known);
    const reused = known.get(previous.policies) ?? this.#withReused(policies, previous);
    known.set(previous.policies, reused);
    return reused;
  }

  #withReused(now: TableShape['policies'], previous: TableShape): ShapePolicies {
    let hasChanged = now.size !== previous.policies.size;
    const policies = new Map<string, PolicyRules>();
    for (const [key, rules] of now) {
      const before = previous.policies.get(key);
      const isSame = before !== undefined && this.#comparisons.same(rules, before);
      policies.set(key, isSame ? before : rules);
      hasChanged ||= !isSame;
    }
    if (!hasChanged) return pick(previous);
    const of = (direction: Direction) =>
      this.#reuse(directionOf(direction, policies.values()), previous[direction]);
    return { policies, ingress: of('ingress'), egress: of('egress') };
  }

  /** Many tables share these parts: two are compared once. */
  #reuse<T extends object>(now: T, before: T): T {
    return this.#comparisons.same(now, before) ? before : now;
  }
}

function pick({ policies, ingress, egress }: ShapePolicies): ShapePolicies {
  return { policies, ingress, egress };
}
