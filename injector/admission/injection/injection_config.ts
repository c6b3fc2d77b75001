/** How this installation's sidecars are made: the injector's settings, for every pod alike. */
import type { FlowLog } from '../../../common/log.ts';
import type { Resources } from '../annotations/index.ts';

/** Settings of injection. */
export interface InjectionConfig {
  /** Version of Sluice, for the status annotation. */
  readonly version: string;
  /** Image of our containers. */
  readonly image: string;
  readonly imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never';
  /**
   * `native`: init container with `restartPolicy: Always`, Kubernetes 1.29 or later. `classic`: an ordinary container;
   * until it has a table the pod's other init containers have no network, and a Job's pod does not end by itself.
   */
  readonly mode: 'native' | 'classic';
  /** `IP:PORT` at which sidecars find the injector: a name would need DNS, which policy may forbid to a pod. */
  readonly injectorAddress: string;
  /** Name that the injector's certificate has. */
  readonly injectorName: string;
  readonly iptables: 'auto' | 'nft' | 'legacy';
  readonly sidecarLogLevel: string;
  readonly sidecarFlowLog: FlowLog;
  /** Of the sidecar, where the pod's annotations say nothing else. */
  readonly resources: Resources;
}
