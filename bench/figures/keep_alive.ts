/** How many requests go over connections that stay open. */
import { runTool } from '../load/tool.ts';
import { fileUrl, SMALL_RESPONSE_BYTES } from '../load/web_server.ts';
import { readRequests, wrkClient } from '../load/wrk.ts';
import type { Figure } from './figure.ts';

const CONNECTIONS = 16;
const MS_PER_SECOND = 1000;

/** HTTP keep-alive. */
export const KEEP_ALIVE: Figure = {
  name: 'keep-alive',
  title: 'HTTP requests, keep-alive',
  method: `wrk asks nginx for ${SMALL_RESPONSE_BYTES} bytes again and again on ${CONNECTIONS} connections.`,
  tools: ['wrk', 'nginx'],
  slow: true,
  metrics: () => [
    { id: 'keep_alive_rate', title: 'rate', unit: '1/s', better: 'more' },
    { id: 'keep_alive_p99', title: 'p99', unit: 'ms', better: 'less' },
  ],
  paths: (chosen) => chosen,
  prepare: (rig, path) => rig.serve(path, 'nginx'),
  measure: async (rig, path, { seconds }) => {
    const url = fileUrl(rig.address(path), SMALL_RESPONSE_BYTES);
    const output = await runTool(
      rig,
      wrkClient(url, { connections: CONNECTIONS, seconds }),
      seconds * MS_PER_SECOND,
    );
    const { perSecond, p99Ms } = readRequests(output);
    return { keep_alive_rate: perSecond, keep_alive_p99: p99Ms };
  },
};
