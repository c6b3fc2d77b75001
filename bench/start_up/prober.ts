/**
 * The node's end: asks every pod for /readyz, as the kubelet does but more often, and ends when all are ready. Says then what
 * processor time it took, in milliseconds. Arguments: the number of pods, the port.
 */
import { get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { addressOf } from './pod_network.ts';

/** The kubelet asks each second. This is what the figure is exact to. */
const INTERVAL_MS = 10;
const TIMEOUT_MS = 1_000;

function isReady(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get({ host, port, path: '/readyz', timeout: TIMEOUT_MS, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('timeout', () => request.destroy(new Error('no answer')));
    request.on('error', () => resolve(false));
  });
}

const [pods, port] = process.argv.slice(2).map(Number);
const untilReady = async (host: string): Promise<void> => {
  while (!(await isReady(host, port ?? 0))) await sleep(INTERVAL_MS);
};
await Promise.all(Array.from({ length: pods ?? 0 }, (_, index) => untilReady(addressOf(index))));
const { user, system } = process.cpuUsage();
process.stdout.write(`${(user + system) / 1000}\n`);
