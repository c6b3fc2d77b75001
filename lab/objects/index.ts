/** The face of `lab/objects/`: the manifests that a lab runs on. */
export { annotatedEnvironment, checkAnnotations } from './annotations.ts';
export { completeForLab, madePodsOf } from './made_pods.ts';
export { checkPorts } from './reserved_ports.ts';
export { putObjects, readForLab, removeObjects, warnOfPods } from './store.ts';
