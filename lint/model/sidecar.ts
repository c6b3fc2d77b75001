/** Whether a pod has what enforces. */
import { SIDECAR_CONTAINER } from '../../common/contract.ts';
import { fieldsOf, isRecord } from '../../common/shape.ts';

/** Whether a Pod, as the API has it, has the sidecar's container. */
export function hasSidecar({ spec }: Readonly<Record<string, unknown>>): boolean {
  const { containers, initContainers } = fieldsOf(spec);
  return [initContainers, containers]
    .flatMap((list) => (Array.isArray(list) ? list.filter(isRecord) : []))
    .some(({ name }) => name === SIDECAR_CONTAINER);
}
