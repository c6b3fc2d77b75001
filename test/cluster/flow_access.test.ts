/** Who sees which flows, through a real API server, with tokens and with client certificates. */
import { CoreV1Api } from '@kubernetes/client-node';
import { certificateUser } from '../support/kubernetes/certificate_user.ts';
import { accountUser, flowAccessScenarios } from '../support/kubernetes/flow_access_scenarios.ts';
import { settled, type TestCluster } from '../support/kubernetes/test_cluster.ts';
import { realCluster } from './access.ts';

const NAMESPACE = 'sluice-system';
const NAME = 'sluice-injector';

/** The proxy only connects to addresses that are a pod's, and reads the Endpoints, not the EndpointSlices. */
async function publish(cluster: TestCluster, port: number): Promise<void> {
  const core = cluster.config.makeApiClient(CoreV1Api);
  const securityContext = {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    runAsNonRoot: true,
    seccompProfile: { type: 'RuntimeDefault' },
  };
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: NAME, namespace: NAMESPACE },
    spec: {
      schedulerName: 'sluice-test-nobody',
      serviceAccountName: NAME,
      containers: [{ name: 'app', image: 'app', securityContext }],
    },
  };
  const created = await settled(() => cluster.create(pod));
  const ip = cluster.host;
  await core.replaceNamespacedPodStatus({
    name: NAME,
    namespace: NAMESPACE,
    body: { ...created, status: { phase: 'Running', podIP: ip, podIPs: [{ ip }] } },
  });
  await cluster.create({
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { name: NAME, namespace: NAMESPACE },
    ...{
      subsets: [
        {
          addresses: [{ ip, targetRef: { kind: 'Pod', name: NAME, namespace: NAMESPACE } }],
          ports: [{ name: 'operator', port, protocol: 'TCP' }],
        },
      ],
    },
  });
}

flowAccessScenarios(realCluster, publish, { token: accountUser, certificate: certificateUser });
