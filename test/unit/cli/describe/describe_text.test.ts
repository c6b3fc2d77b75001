/** What `sluice describe` says of each kind, on files, word for word. */
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { manifestDirectory, pod } from '../../../builders/cli_manifests.ts';
import { policy } from '../../../builders/manifests.ts';
import { codeBlocks, readPage } from '../../../docs/markdown.ts';
import { runSluice } from '../support/sluice_process.ts';
import { describeIn, shopFiles } from './shop_files.ts';

const FILES = 'in force  not known: files say what is to be enforced, not what sidecars have';
const DB_FINDINGS = `\
  ! NP002 shop/db-clients: no pod has app=crat; did you mean app=cart? (shop/20-policies.yaml:40:40); fix: app: cart
  ! NP004 shop/db-clients: port 9000-9010: sts/db declares TCP/pg (5432) only (shop/20-policies.yaml:46:14)
  ! NP019 shop/db-clients: namespaces are chosen by team, which everyone who may edit a namespace can set (shop/20-policies.yaml:42:7); fix: kubernetes.io/metadata.name: shop
`;

test('a workload, as the docs show it', async () => {
  const { code, stdout, stderr } = await describeIn(shopFiles(), 'deploy/cart', '-n', 'shop');
  expect(stderr).toBe('');
  expect(stdout).toBe(`\
shop/deploy/cart  2 pods: cart-bcdf7-1, cart-bcdf7-2  labels app=cart, pod-template-hash=bcdf7
${FILES}
INGRESS  isolated by back-from-web, default-deny, scrape
  FROM            PORTS            BY                        WHO THAT IS NOW
  shop/[app=web]  TCP/grpc (7070)  back-from-web ingress[0]  1 pod: deploy/web
  monitoring/*    all              scrape ingress[0]         1 pod: monitoring/sts/prometheus
EGRESS  isolated by egress-in-shop
  TO      PORTS  BY                        WHO THAT IS NOW
  shop/*  all    egress-in-shop egress[0]  4 pods of 3 workloads: deploy/cart, deploy/web, sts/db
  ! NP008 DNS (kube-system/kube-dns UDP/53) is not admitted: names do not resolve
  ! NP006 shop/scrape: another namespace reaches every port of 3 workloads (deploy/cart, deploy/web, sts/db) (shop/20-policies.yaml:22:7)
`);
  expect(code).toBe(0);
  const [shown = ''] = codeBlocks(readPage('docs/reference/cli.md'), 'text').filter((block) =>
    block.startsWith('$ sluice describe '),
  );
  expect(shown.trimEnd()).toBe(`$ sluice describe deploy/cart -n shop -f shop/\n${stdout.trimEnd()}`);
});

test('a pod, by its name alone, with blocks, ranges and several peers', async () => {
  const { code, stdout } = await describeIn(shopFiles(), 'shop/db-0');
  expect(stdout).toBe(`\
shop/db-0  addresses 10.1.0.4  labels app=db
${FILES}
INGRESS  isolated by db-clients, default-deny, scrape
  FROM                                  PORTS                                BY                     WHO THAT IS NOW
  shop/[app=crat]                       TCP/pg (5432), TCP/9000-9010, UDP/*  db-clients ingress[0]  nobody
  192.0.2.0/24 (except 192.0.2.128/25)  TCP/pg (5432), TCP/9000-9010, UDP/*  db-clients ingress[0]  -
  [team=books]/[app in (cart,web)]      TCP/pg (5432), TCP/9000-9010, UDP/*  db-clients ingress[0]  at least 3 pods of 2 workloads: deploy/cart, deploy/web
  monitoring/*                          all                                  scrape ingress[0]      1 pod: monitoring/sts/prometheus
EGRESS  isolated by egress-in-shop
  TO      PORTS  BY                        WHO THAT IS NOW
  shop/*  all    egress-in-shop egress[0]  4 pods of 3 workloads: deploy/cart, deploy/web, sts/db
  ! NP008 DNS (kube-system/kube-dns UDP/53) is not admitted: names do not resolve
  ! NP006 shop/scrape: another namespace reaches every port of 3 workloads (deploy/cart, deploy/web, sts/db) (shop/20-policies.yaml:22:7)
${DB_FINDINGS}`);
  expect(code).toBe(0);
});

test('a pod that no policy isolates', async () => {
  const { stdout } = await describeIn(shopFiles(), 'pod', 'monitoring/prometheus-0');
  expect(stdout).toBe(`\
monitoring/prometheus-0  addresses 10.1.1.1  labels app=prometheus
in force  not known: no policy isolates it
INGRESS  not isolated: everything is admitted
EGRESS  not isolated: everything is admitted
`);
});

test('a policy', async () => {
  const { code, stdout } = await describeIn(shopFiles(), 'shop/netpol/db-clients');
  expect(stdout).toBe(`\
shop/db-clients  NetworkPolicy (shop/20-policies.yaml:33:1)
selects   shop/[app=db]: 1 pod: sts/db
${FILES}
INGRESS  isolated; admitted:
  FROM                                  PORTS                         BY                     WHO THAT IS NOW
  shop/[app=crat]                       TCP/pg, TCP/9000-9010, UDP/*  db-clients ingress[0]  nobody
  192.0.2.0/24 (except 192.0.2.128/25)  TCP/pg, TCP/9000-9010, UDP/*  db-clients ingress[0]  -
  [team=books]/[app in (cart,web)]      TCP/pg, TCP/9000-9010, UDP/*  db-clients ingress[0]  at least 3 pods of 2 workloads: deploy/cart, deploy/web
EGRESS  not isolated by it
${DB_FINDINGS}`);
  expect(code).toBe(0);
});

test('a policy that selects nobody', async () => {
  const { code, stdout } = await describeIn(shopFiles(), 'netpol', 'old-reviews', '-n', 'shop');
  expect(stdout).toBe(`\
shop/old-reviews  NetworkPolicy (shop/20-policies.yaml:49:1)
selects   shop/[app=reviews]: nobody
in force  not known: it selects no pods
INGRESS  isolated, and no rule: it admits nothing
EGRESS  not isolated by it
  ! NP001 shop/old-reviews: selects no pod; no pod has app=reviews (shop/20-policies.yaml:52:41)
`);
  expect(code).toBe(0);
});

test('-o wide has where rules stand', async () => {
  const { stdout } = await describeIn(shopFiles(), 'shop/netpol/egress-in-shop', '-o', 'wide');
  expect(stdout).toContain('  egress-in-shop egress[0] (shop/20-policies.yaml:31:5)  ');
  expect(stdout).toContain('selects   shop/*: 4 pods of 3 workloads: deploy/cart (2), deploy/web, sts/db\n');
});

test('a namespace', async () => {
  const { code, stdout } = await describeIn(shopFiles(), 'ns', 'shop');
  expect(stdout).toBe(`\
shop  namespace, 3 workloads, 4 pods, 6 policies  labels team=books, kubernetes.io/metadata.name=shop
${FILES}
INGRESS  isolated: 3 of 3 workloads
EGRESS   isolated: 3 of 3 workloads
  ! NP008 DNS (kube-system/kube-dns UDP/53) is not admitted: names do not resolve
    for 3 workloads: deploy/cart, deploy/web, sts/db
  WORKLOAD     PODS  INGRESS BY                           EGRESS BY       DNS
  deploy/cart  2     back-from-web, default-deny, scrape  egress-in-shop  not admitted
  deploy/web   1     default-deny, scrape                 egress-in-shop  not admitted
  sts/db       1     db-clients, default-deny, scrape     egress-in-shop  not admitted
  POLICY          ISOLATES  SELECTOR     SELECTS              RULES
  back-from-web   ingress   app=cart     1 workload, 2 pods   1
  db-clients      ingress   app=db       1 workload, 1 pod    1
  default-deny    ingress   *            3 workloads, 4 pods  0
  egress-in-shop  egress    *            3 workloads, 4 pods  1
  old-reviews     ingress   app=reviews  0 workloads          0
  scrape          ingress   *            3 workloads, 4 pods  1
  ! NP006 shop/scrape: another namespace reaches every port of 3 workloads (deploy/cart, deploy/web, sts/db) (shop/20-policies.yaml:22:7)
  ! NP002 shop/db-clients: no pod has app=crat; did you mean app=cart? (shop/20-policies.yaml:40:40); fix: app: cart
  ! NP004 shop/db-clients: port 9000-9010: sts/db declares TCP/pg (5432) only (shop/20-policies.yaml:46:14)
  ! NP001 shop/old-reviews: selects no pod; no pod has app=reviews (shop/20-policies.yaml:52:41)
  ! NP019 shop/db-clients: namespaces are chosen by team, which everyone who may edit a namespace can set (shop/20-policies.yaml:42:7); fix: kubernetes.io/metadata.name: shop
`);
  expect(code).toBe(0);
});

const MORE = `apiVersion: apps/v1
kind: Deployment
metadata: {name: mail, namespace: shop}
spec:
  selector: {matchLabels: {app: mail}}
  template: {metadata: {labels: {app: mail}}, spec: {containers: [{name: mail, image: mail}]}}
---
apiVersion: v1
kind: Pod
metadata: {name: agent, namespace: shop}
spec: {hostNetwork: true, containers: [{name: agent, image: agent}]}
status: {phase: Running, podIP: 192.0.2.1}
---
apiVersion: v1
kind: Pod
metadata: {name: migrate, namespace: shop}
spec: {containers: [{name: migrate, image: migrate}]}
status: {phase: Succeeded}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: admit-dns, namespace: shop}
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress:
  - to: [{namespaceSelector: {}, podSelector: {matchLabels: {k8s-app: kube-dns}}}]
    ports: [{protocol: UDP, port: 53}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: mail-in, namespace: shop}
spec:
  podSelector: {matchLabels: {app: mail}}
  ingress:
  - ports: [{port: smtp}]
  - from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: partner}}}]
    ports: [{port: 25}]
`;

test('a workload without pods, with DNS, anybody, a port that it lacks and a namespace that was not read', async () => {
  const { stdout } = await describeIn(shopFiles(MORE), 'workload/mail', '-n', 'shop');
  const [head, ...lines] = stdout.split('\n');
  expect(head).toBe('shop/deploy/mail  no pods: one made from its template stands for them  labels app=mail');
  expect(stdout).not.toContain('in force');
  expect(lines).toContain('  anybody       TCP/smtp (no such port)  mail-in ingress[0]  -');
  expect(lines).toContain('  partner/*     TCP/25                   mail-in ingress[1]  not known here');
  expect(lines).toContain('  DNS (kube-system/kube-dns UDP/53) is admitted');
  expect(lines).toContainEqual(
    expect.stringMatching(
      /^ {2}\*\/\[k8s-app=kube-dns] {2}UDP\/53 {2}admit-dns egress\[0] {2,}at least 1 pod: kube-system\/deploy\/coredns$/,
    ),
  );
});

test.each([
  ['agent', 'it is on the network of its node: no policy can select it'],
  ['migrate', 'it has finished (Succeeded): it has no connections, and no policy counts'],
])('a pod to which no policy applies: %s', async (name, reason) => {
  const { stdout, code } = await describeIn(shopFiles(MORE), `shop/pod/${name}`);
  expect(stdout).toBe(`shop/${name}\n  ${reason}\n`);
  expect(code).toBe(0);
});

test('a policy names workloads of the host network that it selects without effect', async () => {
  const { stdout } = await describeIn(shopFiles(MORE), 'shop/netpol/default-deny');
  expect(stdout).toContain('\n  and without effect, on the network of their node: pod/agent\n');
});

const APART = `apiVersion: v1
kind: Pod
metadata:
  name: cart-bcdf7-3
  namespace: shop
  labels: {app: cart, track: canary, pod-template-hash: bcdf7}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: cart-bcdf7, uid: u, controller: true}]
spec: {containers: [{name: app, image: app, ports: [{name: grpc, containerPort: 7070}]}]}
status: {phase: Running, podIP: 10.1.0.9}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: canary, namespace: shop}
spec: {podSelector: {matchLabels: {track: canary}}, policyTypes: [Ingress]}
`;

test('pods of a workload that policies tell apart are groups', async () => {
  const { stdout } = await describeIn(shopFiles(APART), 'deploy/cart', '-n', 'shop');
  const lines = stdout.split('\n');
  expect(lines[0]).toBe('shop/deploy/cart  3 pods, which policies tell apart');
  expect(lines).toContain('2 pods: cart-bcdf7-1, cart-bcdf7-2  labels app=cart, pod-template-hash=bcdf7');
  expect(lines).toContain('1 pod: cart-bcdf7-3  labels app=cart, track=canary, pod-template-hash=bcdf7');
  expect(lines.filter((line) => line.startsWith('INGRESS'))).toEqual([
    'INGRESS  isolated by back-from-web, default-deny, scrape',
    'INGRESS  isolated by back-from-web, canary, default-deny, scrape',
  ]);
  // What is found about their policies is said once.
  expect(lines.filter((line) => line.includes('NP006'))).toHaveLength(1);
});

test('a workload of which one pod is on the network of its node is governed all the same', async () => {
  const owner = 'ReplicaSet/web-5d4f8c7b9d';
  const folder = manifestDirectory(
    pod('shop/web-a', { owner, labels: { app: 'web' }, ip: '192.0.2.1', hostNetwork: true }),
    pod('shop/web-b', { owner, labels: { app: 'web' }, ip: '10.0.0.2' }),
    policy('shop/deny', { podSelector: {} }),
  );
  const { stdout } = await runSluice(['describe', 'shop/deploy/web', '-f', folder]);
  expect(stdout).toContain('INGRESS  isolated by deny: no rule, nothing is admitted');
});

test('-o yaml is the data of -o json', async () => {
  const folder = shopFiles();
  const [json, yaml] = await Promise.all(
    ['json', 'yaml'].map((format) => describeIn(folder, 'shop/db-0', '-o', format)),
  );
  expect(parse(yaml?.stdout ?? '')).toEqual(JSON.parse(json?.stdout ?? ''));
});

test('--color marks findings by how bad they are, and nothing else of a line', async () => {
  const { stdout } = await describeIn(shopFiles(), 'shop/netpol/db-clients', '--color', 'always');
  expect(stdout).toContain('\u001b[33m  ! NP002\u001b[39m shop/db-clients: no pod has app=crat');
  expect(stdout).toContain('\u001b[2m  ! NP019\u001b[22m shop/db-clients: namespaces');
});

test('what a name holds moves no terminal and begins no line', async () => {
  const pod = `apiVersion: v1
kind: Pod
metadata:
  name: odd
  namespace: shop
  labels: {app: db}
  ownerReferences: [{apiVersion: v1, kind: "X\\e[2J", name: "a\\nEGRESS  not isolated", uid: u, controller: true}]
spec: {containers: [{name: app, image: app}]}
status: {phase: Running, podIP: 10.1.0.9}
`;
  const { stdout } = await describeIn(shopFiles(pod), 'shop/netpol/db-clients');
  expect(stdout).not.toContain('\u001b');
  expect(stdout.split('\n')).not.toContain('EGRESS  not isolated');
  expect(stdout).toContain('\\u000aEGRESS');
});
