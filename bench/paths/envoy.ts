/** Envoy as a transparent TCP proxy: original_dst, original_src, one worker. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { APP_LEG_MARK } from '../../sidecar/kernel/index.ts';
import type { Path } from '../rig/path.ts';
import { INBOUND_PORT, redirect, startProxy } from './redirected.ts';

const PATH = { name: 'envoy' };
const TYPES = 'type.googleapis.com/envoy.extensions.filters';

/** Waiting connections, as the others have: its default of 128 loses SYNs of a burst. */
const BACKLOG = 4096;

/** @param binary Envoy's program */
export function envoy(binary: string): Path {
  return {
    ...PATH,
    label: 'Envoy',
    policies: 0,
    tools: ['envoy'],
    prepare: async (rig) => await redirect(rig, PATH),
    start: async (rig) => {
      const file = join(rig.folder, 'envoy.json');
      writeFileSync(file, JSON.stringify(configuration(rig.proxyFlows)));
      const quiet = ['--disable-hot-restart', '--log-level', 'error'];
      return await startProxy(rig, PATH, [binary, '-c', file, '--concurrency', '1', ...quiet]);
    },
  };
}

function configuration(maxFlows: number): object {
  return {
    static_resources: {
      listeners: [
        {
          name: 'inbound',
          address: { socket_address: { address: '127.0.0.1', port_value: INBOUND_PORT } },
          transparent: true,
          tcp_backlog_size: BACKLOG,
          listener_filters: [
            filter('original_dst', 'listener.original_dst.v3.OriginalDst', {}),
            filter('original_src', 'listener.original_src.v3.OriginalSrc', { mark: APP_LEG_MARK }),
          ],
          filter_chains: [
            {
              filters: [
                filter('tcp_proxy', 'network.tcp_proxy.v3.TcpProxy', {
                  stat_prefix: 'inbound',
                  cluster: 'app',
                }),
              ],
            },
          ],
        },
      ],
      clusters: [
        {
          name: 'app',
          type: 'ORIGINAL_DST',
          lb_policy: 'CLUSTER_PROVIDED',
          connect_timeout: '10s',
          circuit_breakers: { thresholds: [{ max_connections: maxFlows, max_pending_requests: maxFlows }] },
        },
      ],
    },
  };
}

function filter(name: string, type: string, fields: object): object {
  return { name, typed_config: { '@type': `${TYPES}.${type}`, ...fields } };
}
