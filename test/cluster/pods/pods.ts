/** Pods that serve and pods that connect, in a real cluster; all run the image of Sluice, which has Node. */

import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
import { BatchV1Api, CoreV1Api, Exec, type V1Pod } from '@kubernetes/client-node';
import { INJECTOR_PORTS } from '../../../common/contract.ts';
import { TABLE_SCHEMA } from '../../../policy/table/form.ts';
import { settled, type TestCluster } from '../../support/kubernetes/test_cluster.ts';
import { testImage } from './installation.ts';

const PORT = 8080;

/** Of the injector's Service. */
const TABLES_PORT = INJECTOR_PORTS.tables;

/** Greets with the caller's address, then ticks, until the connection ends. */
const SERVE = `require('node:net').createServer((socket) => {
  socket.write(socket.remoteAddress + '\\n');
  const ticks = setInterval(() => socket.write('tick\\n'), 50);
  socket.on('error', () => {}).on('close', () => clearInterval(ticks));
}).listen(${PORT})`;

/** Connects to the address in its argument; prints what it reads line by line, and how it ended. */
const CONNECT = `const [host, port] = process.argv[1].split(':');
const socket = require('node:net').connect(Number(port), host);
socket.setTimeout(3000, () => socket.destroy(new Error('silence')));
socket.on('data', (chunk) => process.stdout.write(chunk));
socket.on('error', (error) => console.log('error ' + (error.code ?? error.message)));
socket.on('close', () => process.exit(0));`;

/** Shows the token in its second argument to the injector at its first; prints the type of what it answers. */
const ASK = `const [host, port] = process.argv[1].split(':');
const socket = require('node:tls').connect({ host, port: Number(port), rejectUnauthorized: false });
socket.setTimeout(10000, () => socket.destroy());
socket.write(JSON.stringify({ type: 'token-hello', schema: ${TABLE_SCHEMA}, token: process.argv[2] }) + '\\n');
let text = '';
socket.on('data', (chunk) => {
  text += chunk;
  if (!text.includes('\\n')) return;
  console.log(JSON.parse(text.split('\\n')[0]).type);
  process.exit(0);
});
socket.on('error', (error) => console.log('error ' + error.message)).on('close', () => process.exit(0));`;

/** A connection that a pod has open, or had. */
export interface Connection {
  /** What it read, line by line, and at the end `error …` where it failed. */
  readonly lines: string[];
  /** Settles when it is over. */
  readonly over: Promise<void>;
}

export class Pods {
  readonly #cluster: TestCluster;
  readonly #core: CoreV1Api;
  readonly #namespace: string;

  constructor(cluster: TestCluster, namespace: string) {
    this.#cluster = cluster;
    this.#core = cluster.config.makeApiClient(CoreV1Api);
    this.#namespace = namespace;
  }

  /** A pod that serves, and is ready when it is reached by its node, and a Service of its name in front. */
  async server(name: string): Promise<V1Pod> {
    await this.#cluster.create({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: this.#namespace },
      spec: { selector: { app: name }, ports: [{ port: 80, targetPort: PORT }] },
    } as never);
    return this.#run(name, SERVE, { readinessProbe: { tcpSocket: { port: PORT }, periodSeconds: 1 } });
  }

  /** A pod that connects when it is told to. */
  client(name: string): Promise<V1Pod> {
    const resources = { limits: { memory: '500Mi' }, requests: { memory: '50Mi' } };
    return this.#run(name, 'setInterval(() => {}, 1000)', { resources });
  }

  /** Has a client connect to a Service. */
  async connect(client: string, service: string): Promise<Connection> {
    const address = `${await this.#virtualIP(this.#namespace, service)}:80`;
    return this.exec(client, ['node', '-e', CONNECT, address]);
  }

  /** What the injector answers to a pod that shows this token: the type of its first frame. */
  async askForTable(client: string, token: string): Promise<string | undefined> {
    const address = `${await this.#virtualIP('sluice-system', 'sluice-injector')}:${TABLES_PORT}`;
    const { lines, over } = await this.exec(client, ['node', '-e', ASK, address, token]);
    await over;
    return lines[0];
  }

  /** Runs a Job to its end; rejects when it does not complete. */
  async job(name: string): Promise<void> {
    const spec = {
      restartPolicy: 'Never',
      containers: [{ name: 'app', image: testImage(), command: ['node', '-e', '0'] }],
    };
    await this.#cluster.create({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name, namespace: this.#namespace },
      spec: { backoffLimit: 0, template: { spec } },
    } as never);
    const batch = this.#cluster.config.makeApiClient(BatchV1Api);
    await settled(async () => {
      const { status } = await batch.readNamespacedJob({ name, namespace: this.#namespace });
      if (status?.succeeded !== 1) throw new Error(`the job is not complete: ${JSON.stringify(status)}`);
    });
  }

  /** What a container of a pod has logged, one JSON object a line. */
  async log(name: string, container: string): Promise<readonly Record<string, unknown>[]> {
    const text = await this.#core.readNamespacedPodLog({ name, namespace: this.#namespace, container });
    return text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  }

  /** Runs a command in a container. Rejects where the API server does not let it. */
  async exec(pod: string, command: string[], container = 'app'): Promise<Connection> {
    const lines: string[] = [];
    const output = new PassThrough();
    createInterface({ input: output }).on('line', (line) => lines.push(line));
    const { promise: over, resolve } = Promise.withResolvers<void>();
    const exec = new Exec(this.#cluster.config);
    const socket = await exec.exec(this.#namespace, pod, container, command, output, null, null, false);
    output.on('end', resolve); // all lines are out
    socket.addEventListener('close', () => output.end());
    return { lines, over };
  }

  async #run(name: string, script: string, more: object): Promise<V1Pod> {
    const container = { name: 'app', image: testImage(), command: ['node', '-e', script], ...more };
    await this.#cluster.create({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: this.#namespace, labels: { app: name } },
      spec: { terminationGracePeriodSeconds: 1, containers: [container] },
    } as never);
    return settled(async () => {
      const pod = await this.#core.readNamespacedPod({ name, namespace: this.#namespace });
      const ready = pod.status?.conditions?.find(({ type }) => type === 'Ready')?.status;
      if (ready !== 'True') throw new Error(`pod ${name} is not ready`);
      return pod;
    });
  }

  async #virtualIP(namespace: string, name: string): Promise<string> {
    const { spec } = await this.#core.readNamespacedService({ name, namespace });
    return spec?.clusterIP ?? '';
  }
}
