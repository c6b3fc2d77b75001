/** All rows, in the order in which they are measured and shown. */
import { fieldsOf } from '../../common/shape.ts';
import type { Row, RowMetric } from './row.ts';

const ROWS_FOLDER = 'control_plane/rows';

const LATE: RowMetric = { id: 'late', title: 'how late the process that reads was itself, p99', unit: 'ms' };
const MISSED: RowMetric = { id: 'missed', title: 'changes that a sidecar did not hear of', unit: '' };

/** See bench/README.md. */
export const ROWS: readonly Row[] = [
  {
    name: 'first-policy',
    title: 'First policy of a namespace, for and from all its pods',
    method:
      'One namespace of pods with sidecars, on a unix socket. A policy with an empty `podSelector` is applied that lets the pods of the namespace in. Time runs from the change in the injector until a sidecar has read its last frame.',
    script: `${ROWS_FOLDER}/first_policy.ts`,
    takesSchema: true,
    metrics: [
      { id: 'small_p99', title: '1,000 pods: applied to enforced, p99', unit: 'ms', wanted: 250 },
      { id: 'large_p99', title: '2,000 pods: applied to enforced, p99', unit: 'ms', wanted: 500 },
      {
        id: 'small_turn',
        title: "1,000 pods: longest turn of the injector's event loop",
        unit: 'ms',
        wanted: 20,
      },
      {
        id: 'large_turn',
        title: "2,000 pods: longest turn of the injector's event loop",
        unit: 'ms',
        wanted: 20,
      },
      { ...LATE, id: 'small_late', title: `1,000 pods: ${LATE.title}` },
      { ...LATE, id: 'large_late', title: `2,000 pods: ${LATE.title}` },
    ],
  },
  {
    name: 'one-namespace',
    title: '2,000 pods in one namespace that all reach each other, over TLS',
    method:
      'Memory is resident memory of the injector, 5 s after all sidecars have their tables. Then the injector is killed and started again at once; all sidecars come back as real ones do. Time runs from the kill until the last one has a table.',
    script: `${ROWS_FOLDER}/one_namespace.ts`,
    takesSchema: true,
    metrics: [
      { id: 'idle', title: 'memory, idle', unit: 'MiB', wanted: 400 },
      { id: 'storm_peak', title: 'memory, peak of the restart', unit: 'MiB', wanted: 600 },
      { id: 'all_again', title: 'all in force again', unit: 'ms', wanted: 5_000 },
      { id: 'first_tables', title: 'until all had their first table', unit: 'ms' },
      { id: 'storm_core', title: 'processor time of the restarted injector', unit: 's' },
      { id: 'storm_bytes', title: 'sent after the restart', unit: 'MiB' },
    ],
  },
  {
    name: 'compile',
    title: "100,000 pods and 75,000 policies in 25,000 namespaces, the shape of Antrea's own measurement",
    method:
      'The compiler in a process of its own. Compiling is processor time of its main thread. Then all pods are followed, as if each had a sidecar at this replica, and pods come.',
    script: 'control_plane/compile.ts',
    full: ['antrea'],
    quick: ['small'],
    metrics: [
      { id: 'compile', title: 'compile', unit: 'ms', wanted: 5_000 },
      { id: 'compiled', title: 'memory, compiled', unit: 'MiB', wanted: 700 },
      { id: 'followed', title: 'memory, all pods followed', unit: 'MiB' },
      { id: 'pod', title: 'one pod comes, p99', unit: 'ms', wanted: 1 },
    ],
    read: compileValues,
  },
  {
    name: 'every-pod',
    title: '100,000 pods, 5,000 policies in 500 namespaces: a policy whose peers are every pod',
    method:
      'On a unix socket. One namespace of 200 pods with sidecars gets the policy. 200 sidecars of 20 other namespaces hear of pods that come and go there, 20 changes a second: for 5 s before, and for 30 s from the policy on. Its own sidecars then ask about 20 pods each.',
    script: `${ROWS_FOLDER}/every_pod.ts`,
    takesSchema: true,
    metrics: [
      { id: 'others_p99', title: "others' changes, p99", unit: 'ms', wanted: 100 },
      { id: 'turn', title: "longest turn of the injector's event loop", unit: 'ms', wanted: 20 },
      { id: 'alone_p99', title: "others' changes before the policy, p99", unit: 'ms' },
      MISSED,
      { id: 'others_cut', title: 'connections that others made again', unit: '' },
      { id: 'own_first', title: 'until all pods of the policy had a frame of it', unit: 'ms' },
      { id: 'own_met', title: 'until each of them knew 20 peers that it asked about, p99', unit: 'ms' },
      { id: 'own_bytes', title: 'sent to the pods of the policy', unit: 'MiB' },
      { id: 'peak', title: 'memory, peak', unit: 'MiB' },
      LATE,
    ],
  },
  {
    name: 'start',
    title: 'Start with 100,000 pods of 7 kB, from the API server',
    method:
      'A double of the API server, a process of its own, streams the pods. Where no cgroup can be made, the heap is bounded as Node bounds it in one of 1 GiB.',
    script: 'control_plane/start.ts',
    full: [],
    quick: ['--pods', '1000'],
    // 1: it has measured, and it took longer or more memory than is wanted.
    measuredCodes: [0, 1],
    metrics: [
      { id: 'ready', title: 'until ready', unit: 's', wanted: 60 },
      { id: 'peak', title: 'memory, peak', unit: 'MiB', wanted: 1_024 },
      { id: 'core', title: 'processor time', unit: 's' },
      { id: 'answer', title: 'longest answer of `/readyz`', unit: 'ms' },
    ],
    read: startValues,
  },
  {
    name: 'roll',
    title: 'Roll of 500 pods in 30 s in a namespace of 2,000 pods with sidecars, over TLS',
    method:
      'The pods of the namespace may reach each other. 500 others in it are replaced, one after the other. Time runs from a change in the injector until a sidecar has read a newer revision, for each change and sidecar.',
    script: `${ROWS_FOLDER}/roll.ts`,
    takesSchema: true,
    metrics: [
      { id: 'p99', title: 'changes, p99', unit: 'ms', wanted: 150 },
      { id: 'core', title: "the injector's core", unit: '%', wanted: 25 },
      { id: 'turn', title: "longest turn of the injector's event loop", unit: 'ms' },
      { id: 'frames', title: 'frames', unit: '1/s' },
      MISSED,
      LATE,
    ],
  },
  {
    name: 'sidecar',
    title: 'The real sidecar with its gate, 33 changes of its peers a second',
    method:
      'One sidecar as it ships, in a network namespace of its own, at a real injector on a unix socket. Pods that it lets in come and go for 20 s. An acknowledgement says that the proxy, the kernel and the disk have the table. Needs root.',
    script: `${ROWS_FOLDER}/sidecar.ts`,
    takesSchema: true,
    metrics: [
      { id: 'core', title: '10,000 peers: core', unit: '%', wanted: 5 },
      { id: 'written', title: '10,000 peers: written to disk, log and injector', unit: 'MB/s', wanted: 0.5 },
      { id: 'ack_p99', title: '10,000 peers: acknowledged, p99', unit: 'ms', wanted: 20 },
      { id: 'roll_core', title: '2,000 peers (the roll): core', unit: '%', wanted: 1 },
      { id: 'peak', title: '100,000 peers: memory, peak', unit: 'MiB', wanted: 200 },
      { id: 'resident', title: '100,000 peers: memory', unit: 'MiB' },
      { id: 'first_ack', title: '10,000 peers: first table acknowledged', unit: 'ms' },
      { id: 'most_ack', title: '100,000 peers: first table acknowledged', unit: 'ms' },
      { id: 'roll_ack_p99', title: '2,000 peers: acknowledged, p99', unit: 'ms' },
    ],
  },
  {
    name: 'services',
    title: 'First egress policy, for 2,000 pods, with 2,000 Services of 5 endpoints',
    method: 'As the first policy of a namespace; each table gets the Services, too.',
    script: `${ROWS_FOLDER}/services.ts`,
    takesSchema: true,
    metrics: [
      { id: 'p99', title: 'applied to enforced, p99', unit: 'ms', wanted: 500 },
      { id: 'peak', title: 'memory, peak', unit: 'MiB', wanted: 500 },
      { id: 'turn', title: "longest turn of the injector's event loop", unit: 'ms' },
      { id: 'bytes', title: 'sent', unit: 'MiB' },
      LATE,
    ],
  },
  {
    name: 'hostile',
    title: 'One namespace that does what it can to the injector',
    method:
      '`npm run hostile`: costly policies, 10 edits a second, and clients that are silent or never stop asking.',
    script: 'hostile.ts',
    full: ['--seconds', '30'],
    quick: [
      '--seconds',
      '1',
      '--quiet',
      '20',
      '--pods',
      '210',
      '--hostile',
      '10',
      '--pipelining',
      '1',
      '--silent',
      '20',
    ],
    // 1: it has measured, and others noticed more than its own bounds allow.
    measuredCodes: [0, 1],
    metrics: [
      { id: 'quiet_p99', title: "other namespaces' changes, p99", unit: 'ms', wanted: 100 },
      { id: 'alone_p99', title: "other namespaces' changes before it began, p99", unit: 'ms' },
      { id: 'turn', title: "longest turn of the injector's event loop", unit: 'ms' },
      MISSED,
      { id: 'reconnects', title: 'connections that others made again', unit: '' },
      LATE,
    ],
    read: hostileValues,
  },
  {
    name: 'idle',
    title: '5,000 sidecars at one replica, over TLS, and nothing happens',
    method: '50 namespaces of 100 pods that reach each other. Processor time over 30 s.',
    script: `${ROWS_FOLDER}/idle.ts`,
    takesSchema: true,
    metrics: [
      { id: 'core', title: "the injector's core", unit: '%', wanted: 15 },
      { id: 'resident', title: 'memory', unit: 'MiB' },
      { id: 'reconnects', title: 'connections that were made again', unit: '' },
    ],
  },
];

function hostileValues(document: unknown): Readonly<Record<string, unknown>> {
  const result = fieldsOf(fieldsOf(document).result);
  return {
    quiet_p99: fieldsOf(result.quietMs).p99,
    alone_p99: fieldsOf(result.aloneMs).p99,
    turn: result.longestTurnMs,
    missed: result.missed,
    reconnects: result.reconnects,
    late: result.lateMs,
  };
}

function compileValues(document: unknown): Readonly<Record<string, unknown>> {
  const { compileMs, rssMiB, allFollowedMiB, podComes } = fieldsOf(document);
  return { compile: compileMs, compiled: rssMiB, followed: allFollowedMiB, pod: fieldsOf(podComes).p99Ms };
}

function startValues(document: unknown): Readonly<Record<string, unknown>> {
  const { ready_seconds, peak_mib, cpu_seconds, longest_answer_ms } = fieldsOf(document);
  return { ready: ready_seconds, peak: peak_mib, core: cpu_seconds, answer: longest_answer_ms };
}
