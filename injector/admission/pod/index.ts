/** A pod as the webhook gets it: what injection decides on, read and checked. */

export type { ApiObject } from './api_object.ts';
export {
  type AdmittedContainer,
  type AdmittedPod,
  type AdmittedVolume,
  type PodConfinement,
  parseAdmittedPod,
} from './pod_object.ts';
