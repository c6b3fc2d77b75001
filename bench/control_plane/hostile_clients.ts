/**
 * What runs in the pods of the hostile namespace, in a process of its own with less right to the processor: sidecars, one in
 * ten of which never reads, clients that never stop asking, and connections that say nothing.
 */
import { connect } from 'node:net';
import { setPriority } from 'node:os';
import type { SidecarFrame } from '../../policy/index.ts';
import { podAt } from './cluster.ts';
import { SimulatedSidecar } from './sidecars.ts';
import { dial, HOST, type SidecarPod, type Way } from './way.ts';

/** How many there are of each. */
export interface HostileClients {
  /** The namespace's place among all. */
  readonly namespace: number;
  /** Pods with a sidecar, or what poses as one. */
  readonly pods: number;
  /** Of these, those that never stop asking. */
  readonly pipelining: number;
  /** Connections that never say a word, from the addresses of the pods. */
  readonly silent: number;
}

const LOWER_PRIORITY = 10;

/** One in so many sidecars never reads. */
const NEVER_READS = 10;

/** Frames written at a time. */
const PIPELINED = 500;

/** Before a connection is made again, ms. */
const RETRY_MS = 1_000;

const [wayText = '', clientsText = ''] = process.argv.slice(2);
const way = JSON.parse(wayText) as Extract<Way, { readonly kind: 'tls' }>;
const clients = JSON.parse(clientsText) as HostileClients;
setPriority(LOWER_PRIORITY);

/** Sidecars of other namespaces have the numbers below. */
const FIRST_NUMBER = 8_192;

for (let place = 0; place < clients.pods; place += 1) {
  const { namespace, name, uid } = podAt(clients.namespace, place, 0, 0);
  const pod = { namespace, name, uid, number: FIRST_NUMBER + place };
  if (place < clients.pipelining) pipeline(pod);
  else new SimulatedSidecar(way, pod, { snapshot: () => {}, change: () => {} }, place % NEVER_READS !== 0);
}
for (let index = 0; index < clients.silent; index += 1) beSilent(index % clients.pods);
process.on('disconnect', () => process.exit());
process.send?.('started');

/** Logs in, and then asks without end who has an address. */
function pipeline(pod: SidecarPod): void {
  const { socket, ready, hello } = dial(way, pod);
  const question: SidecarFrame = { type: 'identify', address: '10.0.0.1' };
  const many = `${JSON.stringify(question)}\n`.repeat(PIPELINED);
  const ask = () => {
    while (socket.writable && socket.write(many));
  };
  socket.on(ready, () => {
    socket.write(`${JSON.stringify(hello)}\n`);
    ask();
  });
  socket.on('drain', ask);
  socket.on('data', () => {});
  socket.on('error', () => {});
  socket.on('close', () => setTimeout(() => pipeline(pod), RETRY_MS));
}

function beSilent(place: number): void {
  const number = FIRST_NUMBER + place;
  const localAddress = `127.1.${number >> 8}.${number & 255}`;
  const socket = connect({ host: HOST, port: way.port, localAddress });
  socket.on('data', () => {});
  socket.on('error', () => {});
  socket.on('close', () => setTimeout(() => beSilent(place), RETRY_MS));
}
