/** A shop in files, as a team writes them, and what `sluice describe` says of it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from '../../../builders/cli_manifests.ts';
import { type ProcessResult, runSluice } from '../support/sluice_process.ts';

/** @param owner kind and name of the controller */
function podText(
  namespace: string,
  name: string,
  ip: string,
  labels: string,
  owner: string,
  ports = '',
): string {
  const [kind, ownerName] = owner.split('/');
  return `apiVersion: v1
kind: Pod
metadata:
  name: ${name}
  namespace: ${namespace}
  labels: {${labels}}
  ownerReferences: [{apiVersion: apps/v1, kind: ${kind}, name: ${ownerName}, uid: u, controller: true}]
spec: {containers: [{name: app, image: app, ports: [${ports}]}]}
status: {phase: Running, podIP: ${ip}}
---
`;
}

const HASH = 'pod-template-hash: bcdf7';

const PODS = `apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: books}}
---
apiVersion: v1
kind: Namespace
metadata: {name: monitoring}
---
apiVersion: v1
kind: Namespace
metadata: {name: kube-system}
---
${podText('shop', 'cart-bcdf7-1', '10.1.0.1', `app: cart, ${HASH}`, 'ReplicaSet/cart-bcdf7', '{name: grpc, containerPort: 7070}')}\
${podText('shop', 'cart-bcdf7-2', '10.1.0.2', `app: cart, ${HASH}`, 'ReplicaSet/cart-bcdf7', '{name: grpc, containerPort: 7070}')}\
${podText('shop', 'web-bcdf7-1', '10.1.0.3', `app: web, ${HASH}`, 'ReplicaSet/web-bcdf7')}\
${podText('shop', 'db-0', '10.1.0.4', 'app: db', 'StatefulSet/db', '{name: pg, containerPort: 5432}')}\
${podText('monitoring', 'prometheus-0', '10.1.1.1', 'app: prometheus', 'StatefulSet/prometheus')}\
${podText('kube-system', 'coredns-bcdf7-1', '10.1.2.1', `k8s-app: kube-dns, ${HASH}`, 'ReplicaSet/coredns-bcdf7', '{name: dns, containerPort: 53, protocol: UDP}')}\
apiVersion: v1
kind: Service
metadata: {name: kube-dns, namespace: kube-system}
spec: {selector: {k8s-app: kube-dns}, clusterIP: 10.96.0.10, ports: [{name: dns, port: 53, protocol: UDP, targetPort: dns}]}
`;

const POLICIES = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: back-from-web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: cart}}
  ingress:
  - from: [{podSelector: {matchLabels: {app: web}}}]
    ports: [{port: grpc}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: scrape, namespace: shop}
spec:
  podSelector: {}
  ingress:
  - from:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: egress-in-shop, namespace: shop}
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress:
  - to: [{podSelector: {}}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-clients, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
  - from:
    - podSelector: {matchLabels: {app: crat}}
    - ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.128/25]}
    - namespaceSelector: {matchLabels: {team: books}}
      podSelector: {matchExpressions: [{key: app, operator: In, values: [cart, web]}]}
    ports:
    - {port: pg}
    - {port: 9000, endPort: 9010}
    - {protocol: UDP}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: old-reviews, namespace: shop}
spec: {podSelector: {matchLabels: {app: reviews}}, policyTypes: [Ingress]}
`;

/** The folder with its files. @param more the text of another one */
export function shopFiles(more = ''): string {
  const folder = temporaryDirectory();
  writeFileSync(join(folder, '10-shop.yaml'), PODS);
  writeFileSync(join(folder, '20-policies.yaml'), POLICIES);
  if (more !== '') writeFileSync(join(folder, '30-more.yaml'), more);
  return folder;
}

/** Runs the command in files; their folder is called `shop` in what it says. */
export async function describeIn(folder: string, ...words: readonly string[]): Promise<ProcessResult> {
  const { code, stdout, stderr } = await runSluice(['describe', ...words, '-f', folder]);
  return { code, stdout: stdout.replaceAll(folder, 'shop'), stderr: stderr.replaceAll(folder, 'shop') };
}
