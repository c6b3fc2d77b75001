/**
 * A network namespace for this process alone, with a client's and an app's addresses on loopback and a redirect as TPROXY
 * makes it: what a relay needs, in one process, without a pod around it.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { APP_LEG_MARK } from '../../../sidecar/kernel/app_leg_marking.ts';

const ROOT = join(import.meta.dirname, '../../..');

/** Addresses of the namespace, by family. */
export const ADDRESSES = {
  4: { client: '10.9.0.1', app: '10.9.0.2' },
  6: { client: 'fd09::1', app: 'fd09::2' },
} as const;

/** Ports that the redirect leaves alone start here: an app that nobody proxies. */
const UNPROXIED_PORTS = 40_000;

/** Moves this process's main thread into a new namespace. It cannot come back. */
export function enterOwnNamespace(): void {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-netns-'));
  try {
    const addon = join(folder, 'own_namespace.node');
    const headers = join(ROOT, 'node_modules/node-api-headers/include');
    const source = join(import.meta.dirname, 'own_namespace.c');
    execFileSync('cc', [
      '-Wall',
      '-Wextra',
      '-Werror',
      '-fPIC',
      '-shared',
      '-I',
      headers,
      '-o',
      addon,
      source,
    ]);
    const { enter } = createRequire(import.meta.url)(addon) as { enter(): number };
    const result = enter();
    if (result < 0) throw new Error(`unshare failed: errno ${-result}; this test needs root`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
  for (const family of [4, 6] as const) {
    for (const address of Object.values(ADDRESSES[family]))
      execFileSync('ip', [`-${family}`, 'addr', 'add', `${address}/${family === 4 ? 32 : 128}`, 'dev', 'lo']);
  }
}

/** Nothing arrives any more that is sent from this port, until what is returned is called: the port may be another's then. */
export function vanish(port: number): () => void {
  const ruleset = `table inet vanished-${port} {
    chain prerouting {
      type filter hook prerouting priority raw;
      tcp sport ${port} drop
    }
  }`;
  execFileSync('nft', ['-f', '-'], { input: ruleset });
  return () => execFileSync('nft', ['delete', 'table', 'inet', `vanished-${port}`]);
}

/** Delivers connections to the app's addresses to a relay's listeners, but for those that carry the app leg's mark. */
export function redirectTo(inboundPort: number): void {
  const rule = (family: 'ip' | 'ip6', app: string, listener: string) =>
    `${family} daddr ${app} tcp dport < ${UNPROXIED_PORTS} meta mark != ${APP_LEG_MARK} tproxy ${family} to ${listener}:${inboundPort} accept`;
  const ruleset = `table inet test {
    chain prerouting {
      type filter hook prerouting priority mangle;
      ${rule('ip', ADDRESSES[4].app, '127.0.0.1')}
      ${rule('ip6', ADDRESSES[6].app, '[::1]')}
    }
  }`;
  execFileSync('nft', ['-f', '-'], { input: ruleset });
}
