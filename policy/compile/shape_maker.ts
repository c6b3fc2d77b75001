/** Makes the shapes of tables: what of each is its own. */

import { isSubject, nodeAddresses } from '../rules/index.ts';
import { Comparisons, sameData } from '../table/index.ts';
import type { ClusterState } from './cluster_state.ts';
import { RuleCompiler } from './table_rules.ts';
import type { TableShape } from './table_shape.ts';

/** Of one cluster, by the policies that are in force. */
export class ShapeMaker {
  readonly #state: ClusterState;
  readonly #rules = new RuleCompiler();
  readonly #comparisons = new Comparisons();

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
    const reused: TableShape = {
      subject: sameData(shape.subject, previous.subject) ? previous.subject : shape.subject,
      ingress: this.#reuse(shape.ingress, previous.ingress),
      egress: this.#reuse(shape.egress, previous.egress),
      groups: this.#reuse(shape.groups, previous.groups),
      hasServices: shape.hasServices,
    };
    const isSame =
      reused.subject === previous.subject &&
      reused.ingress === previous.ingress &&
      reused.egress === previous.egress &&
      reused.groups === previous.groups;
    return isSame ? previous : reused;
  }

  /** Many tables share these parts: two are compared once. */
  #reuse<T extends object>(now: T, before: T): T {
    return this.#comparisons.same(now, before) ? before : now;
  }
}
