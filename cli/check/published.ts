/** Objects of the API server, by the types that its client library publishes. */
import type {
  V1DaemonSet,
  V1Deployment,
  V1MutatingWebhookConfiguration,
  V1Namespace,
  V1Node,
  V1Pod,
  V1Service,
  V1ValidatingAdmissionPolicyBinding,
} from '@kubernetes/client-node';
import type { RawObject } from '../../injector/api/index.ts';

/** The type of each kind. */
interface Published {
  readonly DaemonSet: V1DaemonSet;
  readonly Deployment: V1Deployment;
  readonly MutatingWebhookConfiguration: V1MutatingWebhookConfiguration;
  readonly Namespace: V1Namespace;
  readonly Node: V1Node;
  readonly Pod: V1Pod;
  readonly Service: V1Service;
  readonly ValidatingAdmissionPolicyBinding: V1ValidatingAdmissionPolicyBinding;
}

/** The API server has held the object to its type. It is as it came: a time in it is a text, though its type says Date. */
export function published<Kind extends keyof Published>(_kind: Kind, object: RawObject): Published[Kind] {
  return object as unknown as Published[Kind];
}
