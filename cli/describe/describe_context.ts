/** What descriptions are made of. */
import type { Dns, Model, Subject } from '../../lint/index.ts';
import type { InForce } from '../in_force/index.ts';

/** The same for all descriptions of one input. */
export interface DescribeContext {
  readonly model: Model;
  readonly dns: Dns;
  readonly inForce: InForce;
  /** The pods that stand as one for lint, by `namespace/name` of each. */
  readonly subjects: ReadonlyMap<string, Subject>;
}
