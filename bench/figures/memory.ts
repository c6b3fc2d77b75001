/** What a proxy keeps in memory: nothing to do, and with flows. */
import { setTimeout as delay } from 'node:timers/promises';
import { kernelBytes, privateBytes, residentBytes } from '../process_usage.ts';
import type { Path } from '../rig/path.ts';
import type { Rig } from '../rig/rig.ts';
import { type Figure, proxied } from './figure.ts';
import { endFlows, openFlows } from './open_flows.ts';

const BYTES_PER_MB = 1e6;
const FEW_FLOWS = 1000;
/** That run the same proxy, and so share the pages of its files. */
const PODS_OF_A_NODE = 20;

/** After a start and after opening flows, before memory is read, in milliseconds. */
const SETTLE_MS = 500;

/** Resident memory of a proxy that was just started, and as flows come. */
export const MEMORY: Figure = {
  name: 'memory',
  title: 'Memory',
  method:
    'The proxy is started again for this. Each flow exchanges one line and is then held. Resident memory is that of the proxy process, file pages included. Private memory is what the process has written to; all else are pages of files, which all pods of a node share that run the same image. Proportional memory is private memory and a twentieth of the rest: what each of 20 pods on a node takes. Per flow: the growth from idle to all flows; per further flow: from 1,000 to all, when the heap has grown to what work as such needs. Kernel memory is the growth of the slabs of the whole machine, client and app included: compare with direct. All flows are 10,000, or what the limit of open files allows.',
  metrics: (scale) => [
    { id: 'memory_idle', title: 'idle', unit: 'MB', better: 'less' },
    { id: 'memory_idle_private', title: 'idle, private', unit: 'MB', better: 'less' },
    { id: 'memory_idle_proportional', title: 'idle, proportional, 20 pods', unit: 'MB', better: 'less' },
    { id: 'memory_few', title: '1,000 flows', unit: 'MB', better: 'less' },
    ...(scale.name === 'quick'
      ? []
      : ([{ id: 'memory_many', title: 'all flows', unit: 'MB', better: 'less' }] as const)),
    { id: 'memory_flow', title: 'per flow, user space', unit: 'kB', better: 'less' },
    ...(scale.name === 'quick'
      ? []
      : ([
          { id: 'memory_flow_more', title: 'per further flow, user space', unit: 'kB', better: 'less' },
        ] as const)),
    { id: 'memory_flow_kernel', title: 'per flow, kernel', unit: 'kB', better: 'less' },
  ],
  unhurried: true,
  mostRounds: 3,
  paths: (chosen) => chosen.filter((path) => path.start !== undefined || path.name === 'direct'),
  measure: async (rig, path, scale) => {
    await rig.restart(path);
    await rig.untilAnswers(path);
    await delay(SETTLE_MS);
    const idle = memoryOf(rig, path);
    const idleShares = sharesOf(rig, path);
    const groups = [...(await openFlows(rig, path, FEW_FLOWS))];
    await delay(SETTLE_MS);
    const few = memoryOf(rig, path);
    const count = scale.name === 'quick' ? FEW_FLOWS : rig.maxFlows;
    groups.push(...(await openFlows(rig, path, count - FEW_FLOWS)));
    await delay(SETTLE_MS);
    const many = memoryOf(rig, path);
    await endFlows(rig, groups);
    return {
      memory_flow_kernel: (many.kernel - idle.kernel) / count / 1000,
      ...(proxied([path]).length === 0
        ? {}
        : {
            memory_idle: idle.resident / BYTES_PER_MB,
            ...idleShares,
            memory_few: few.resident / BYTES_PER_MB,
            ...(scale.name === 'quick'
              ? {}
              : {
                  memory_many: many.resident / BYTES_PER_MB,
                  memory_flow_more: (many.resident - few.resident) / (count - FEW_FLOWS) / 1000,
                }),
            memory_flow: (many.resident - idle.resident) / count / 1000,
          }),
    };
  },
};

function memoryOf(rig: Rig, path: Path): { readonly resident: number; readonly kernel: number } {
  const proxy = rig.proxy(path);
  return { resident: proxy === undefined ? 0 : residentBytes(proxy.pid), kernel: kernelBytes() };
}

/** Of an idle proxy: reading it takes the kernel a walk through all of its pages. */
function sharesOf(rig: Rig, path: Path): Readonly<Record<string, number>> {
  const proxy = rig.proxy(path);
  if (proxy === undefined) return {};
  const own = privateBytes(proxy.pid);
  const shared = residentBytes(proxy.pid) - own;
  return {
    memory_idle_private: own / BYTES_PER_MB,
    memory_idle_proportional: (own + shared / PODS_OF_A_NODE) / BYTES_PER_MB,
  };
}
