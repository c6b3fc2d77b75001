/** What sidecars take of a node's memory: one alone, and many that share the pages of their program. */
import { setTimeout as delay } from 'node:timers/promises';
import { SLUICE } from '../paths/catalogue.ts';
import { privateBytes, proportionalBytes, residentBytes } from '../process_usage.ts';
import { Crowd } from '../rig/crowd.ts';
import type { Figure } from './figure.ts';

const PODS = 50;
const BYTES_PER_MB = 1e6;

/** After the last start, before memory is read, in milliseconds. */
const SETTLE_MS = 2000;

/** Resident, proportional and private memory of one sidecar, and of each of 50 on one machine. */
export const NODE_MEMORY: Figure = {
  name: 'node-memory',
  title: `Memory of one sidecar, and of ${PODS} on one machine`,
  method: `Idle sidecars in pods of a lab of their own, all running from one copy of Node, whose pages are thus shared among them and with nobody else. Resident memory is what a process has mapped; proportional memory (PSS) divides each page among those who share it; private memory is what the process has written to. Of ${PODS}: the mean.`,
  slow: true,
  unhurried: true,
  mostRounds: 1,
  metrics: () => [
    { id: 'node_memory_1_resident', title: 'one, resident', unit: 'MB', better: 'less' },
    { id: 'node_memory_1_proportional', title: 'one, proportional', unit: 'MB', better: 'less' },
    { id: 'node_memory_1_private', title: 'one, private', unit: 'MB', better: 'less' },
    { id: 'node_memory_many_resident', title: `each of ${PODS}, resident`, unit: 'MB', better: 'less' },
    {
      id: 'node_memory_many_proportional',
      title: `each of ${PODS}, proportional`,
      unit: 'MB',
      better: 'less',
    },
    { id: 'node_memory_many_private', title: `each of ${PODS}, private`, unit: 'MB', better: 'less' },
  ],
  // A start takes seconds of processor time: one path has to do.
  paths: (chosen) => chosen.filter(({ name }) => name === SLUICE),
  measure: async (rig, path) => {
    const { annotations = {} } = path;
    const { sidecarMain, signal } = rig;
    const crowd = await Crowd.open({
      name: `${rig.lab.name}-crowd`,
      pods: PODS,
      annotations,
      sidecarMain,
      signal,
    });
    try {
      await crowd.growTo(1);
      await delay(SETTLE_MS, undefined, { signal });
      const one = memoryOf(crowd);
      await crowd.growTo(PODS);
      await delay(SETTLE_MS, undefined, { signal });
      const many = memoryOf(crowd);
      return {
        node_memory_1_resident: one.resident,
        node_memory_1_proportional: one.proportional,
        node_memory_1_private: one.own,
        node_memory_many_resident: many.resident,
        node_memory_many_proportional: many.proportional,
        node_memory_many_private: many.own,
      };
    } finally {
      await crowd.close();
    }
  },
};

/** Of all sidecars that run: the mean, in MB. */
function memoryOf({ sidecars }: Crowd) {
  const mean = (bytes: (pid: number) => number): number =>
    sidecars.reduce((sum, { pid }) => sum + bytes(pid), 0) / sidecars.length / BYTES_PER_MB;
  return { resident: mean(residentBytes), proportional: mean(proportionalBytes), own: mean(privateBytes) };
}
