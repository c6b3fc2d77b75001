/** What a policy, a pod or a Service is called in answers. */
import { objectKey } from '../../policy/index.ts';

/** `namespace/name`. */
export function refName({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return objectKey(namespace, name);
}
