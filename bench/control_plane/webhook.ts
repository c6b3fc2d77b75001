/** The admission webhook of the benchmark's injector, and an API server that asks it. */
import { Agent, request } from 'node:https';
import type { Logger } from 'pino';
import type { InjectionConfig } from '../../injector/admission/index.ts';
import { startWebhookServer, WEBHOOK_PATH } from '../../injector/admission/index.ts';
import type { CertificateAndKey } from '../../injector/doors/index.ts';
import type { InjectorMetrics } from '../../injector/metrics.ts';
import type { ClusterSource } from '../../injector/source.ts';
import { HOST, SERVER_NAME } from './way.ts';

const CONFIG: InjectionConfig = {
  version: '0',
  image: 'sluice',
  imagePullPolicy: 'IfNotPresent',
  mode: 'native',
  injectorAddress: '10.96.0.1:15010',
  injectorName: SERVER_NAME,
  iptables: 'auto',
  sidecarLogLevel: 'info',
  sidecarFlowLog: 'denied',
  resources: { requests: { cpu: '10m', memory: '64Mi' }, limits: { cpu: '2', memory: '512Mi' } },
};

/** Serves the webhook on loopback. */
export async function serveWebhook(
  source: ClusterSource,
  metrics: InjectorMetrics,
  certificate: CertificateAndKey,
  port: number,
  log: Logger,
): Promise<void> {
  const current = { current: certificate, onChange: () => () => {} };
  const parts = { source, config: () => CONFIG, certificate: current, metrics, log };
  await startWebhookServer({ ...parts, prepareNamespace: async () => {} }, { host: HOST, port });
}

/** Asks for one pod's injection, over a connection that is kept. @returns how long the answer took, ms */
export class WebhookCaller {
  readonly #agent: Agent;
  readonly #port: number;

  constructor(port: number, ca: string) {
    this.#port = port;
    this.#agent = new Agent({ ca, servername: SERVER_NAME, keepAlive: true, maxSockets: 1 });
  }

  /** @throws Error when there is no good answer */
  ask(namespace: string): Promise<number> {
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web', namespace },
      spec: { containers: [{ name: 'app', image: 'app' }] },
    };
    const body = JSON.stringify({
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      request: {
        uid: '1',
        kind: { group: '', version: 'v1', kind: 'Pod' },
        resource: { group: '', version: 'v1', resource: 'pods' },
        operation: 'CREATE',
        namespace,
        userInfo: {},
        object: pod,
        dryRun: true,
      },
    });
    const beganMs = performance.now();
    return new Promise((resolve, reject) => {
      const to = { host: HOST, port: this.#port, path: WEBHOOK_PATH, method: 'POST', agent: this.#agent };
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
      const asked = request({ ...to, headers }, (response) => {
        response.resume();
        response.on('error', reject);
        response.on('end', () =>
          response.statusCode === 200
            ? resolve(performance.now() - beganMs)
            : reject(new Error(`the webhook answered ${response.statusCode}`)),
        );
      });
      asked.on('error', reject);
      asked.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
