/** Workloads such as Deployments: the pods that their templates would make. */

export {
  assumedLabels,
  isControllerLabel,
  makeTemplatePod,
  type RawLabels,
  templatePodManifest,
} from './template_pod.ts';
export { createWorkloads, lastingWorkload, type Template, type Workloads } from './workloads.ts';
