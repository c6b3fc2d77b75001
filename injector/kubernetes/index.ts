/** The face of `injector/kubernetes/`. */
export { startKubernetesInjector } from './kubernetes_injector.ts';
