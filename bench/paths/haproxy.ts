/** HAProxy as a transparent TCP proxy: the same redirect, the client's address on the app's side, one thread. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { APP_LEG_MARK } from '../../sidecar/kernel/index.ts';
import { runInNetns } from '../rig/commands.ts';
import { CLIENT_ADDRESS } from '../rig/manifests.ts';
import { type Path, podOf } from '../rig/path.ts';
import { INBOUND_PORT, redirect, startProxy } from './redirected.ts';

/** Two pipes for each of the bulk figure's streams are 16; the rest of the descriptors are for flows. */
const MAX_PIPES = 64;

/** With `splice`, every transfer that can be spliced is; with `copy`, none. */
export function haproxy(transfer: 'splice' | 'copy'): Path {
  const path = { name: `haproxy-${transfer}` };
  return {
    ...path,
    label: `HAProxy, ${transfer}`,
    policies: 0,
    tools: ['haproxy'],
    variant: transfer === 'copy',
    prepare: async (rig) => {
      await redirect(rig, path);
      // This version cannot mark its connection to the app, by whose mark the app's answers find their way.
      const mark = `0x${APP_LEG_MARK.toString(16)}/0xfff`;
      await runInNetns(rig.lab, podOf(path), [
        ...['iptables', '-w', '-t', 'mangle', '-I', 'PREROUTING', '-i', 'lo', '-p', 'tcp'],
        ...['-s', CLIENT_ADDRESS, '-j', 'CONNMARK', '--set-xmark', mark],
      ]);
    },
    start: async (rig) => {
      const file = join(rig.folder, `${path.name}.cfg`);
      writeFileSync(file, configuration(transfer, rig.proxyFlows));
      return await startProxy(rig, path, ['haproxy', '-db', '-f', file]);
    },
  };
}

function configuration(transfer: 'splice' | 'copy', maxFlows: number): string {
  return `global
  nbthread 1
  maxconn ${maxFlows}
  maxpipes ${MAX_PIPES}
  ${transfer === 'copy' ? 'nosplice' : ''}
defaults
  mode tcp
  timeout connect 10s
  timeout client 1h
  timeout server 1h
  ${transfer === 'splice' ? 'option splice-request\n  option splice-response' : ''}
listen inbound
  bind 127.0.0.1:${INBOUND_PORT} transparent
  source 0.0.0.0 usesrc clientip
  server app 0.0.0.0
`;
}
