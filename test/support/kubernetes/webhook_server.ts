/** A mutating webhook of a test, behind a Service of the cluster, as an injector is. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { KubernetesObject } from '@kubernetes/client-node';
import { type Authority, createAuthority } from '../api_server/certificates.ts';
import type { TestCluster } from './test_cluster.ts';

type Json = Record<string, unknown>;

/** The part of `AdmissionReview.request` that tests look at. */
export interface AdmissionRequest extends Json {
  readonly uid: string;
  readonly object: KubernetesObject & Json;
}

const SERVICE = 'hook';

export class WebhookServer {
  /** Every request that came, oldest first. */
  readonly requests: AdmissionRequest[] = [];
  /** What is answered, without the uid; by default all is allowed as it is. */
  answer: (request: AdmissionRequest) => Json = () => ({ allowed: true });
  readonly #server: Server;
  readonly #authority: Authority;
  readonly #namespace: string;

  private constructor(server: Server, authority: Authority, namespace: string) {
    this.#server = server;
    this.#authority = authority;
    this.#namespace = namespace;
    server.on('request', async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const asked = JSON.parse(Buffer.concat(chunks).toString()).request as AdmissionRequest;
      this.requests.push(asked);
      const answer = { ...this.answer(asked), uid: asked.uid };
      response.end(
        JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: answer }),
      );
    });
  }

  /** Listens, and puts a Service of `namespace` in front: one without selector, with an EndpointSlice of its own. */
  static async start(cluster: TestCluster, namespace: string): Promise<WebhookServer> {
    const authority = await createAuthority();
    const server = createServer(await authority.issue([`${SERVICE}.${namespace}.svc`]));
    server.listen(0, cluster.host);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await cluster.create({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: SERVICE, namespace },
      spec: { ports: [{ name: 'https', port: 443, targetPort: port }] },
    } as KubernetesObject);
    await cluster.create({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: SERVICE, namespace, labels: { 'kubernetes.io/service-name': SERVICE } },
      addressType: 'IPv4',
      ports: [{ name: 'https', port, protocol: 'TCP' }],
      endpoints: [{ addresses: [cluster.host], conditions: { ready: true } }],
    } as KubernetesObject);
    return new WebhookServer(server, authority, namespace);
  }

  /** The configuration that has the API server ask about pods of namespaces with this label. */
  configuration(label: string, more: Json = {}, ca = this.#authority.cert): KubernetesObject {
    return {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'MutatingWebhookConfiguration',
      metadata: { name: `${this.#namespace}-hook` },
      webhooks: [
        {
          name: 'hook.sluice.test',
          admissionReviewVersions: ['v1'],
          sideEffects: 'None',
          namespaceSelector: { matchLabels: { [label]: 'yes' } },
          rules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] }],
          clientConfig: {
            caBundle: Buffer.from(ca).toString('base64'),
            service: { namespace: this.#namespace, name: SERVICE, path: '/mutate' },
          },
          ...more,
        },
      ],
    } as KubernetesObject;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
