import { expect, test } from 'vitest';
import { readOptions } from '../../../common/options.ts';
import type { FlowRecord } from '../../../flows/index.ts';
import { SIDECAR_OPTIONS, sidecarConfig } from '../../../sidecar/config.ts';
import {
  bufferLimit,
  connectionLimit,
  descriptorLimit,
  pipeLimit,
} from '../../../sidecar/inbound/capacity.ts';
import { memoryLimit } from '../../../sidecar/inbound/memory_limit.ts';
import { FlowHistory } from '../../../sidecar/records/history.ts';
import { brokenEnd } from '../../../sidecar/relay/broken_end.ts';
import { probing } from '../../../sidecar/relay/probing.ts';

/** More memory than any number of descriptors needs. */
const MUCH = 2 ** 40;

const NEEDED = { SLUICE_POD_NAMESPACE: 'a', SLUICE_POD_NAME: 'b', SLUICE_SOURCE: 'unix:/run/s' };
const config = (env: Record<string, string>, argv: string[] = []) =>
  sidecarConfig(readOptions(SIDECAR_OPTIONS, argv, { ...NEEDED, ...env }).values);

test('a flag wins over the variable, the variable over the default', () => {
  expect(config({}).adminPort).toBe(15_021);
  expect(config({ SLUICE_ADMIN_PORT: '9000' }).adminPort).toBe(9000);
  expect(config({ SLUICE_ADMIN_PORT: '9000' }, ['--admin-port', '9001']).adminPort).toBe(9001);
});

test('which way connections take is the proxy, unless it is said', () => {
  expect(config({}).path).toEqual({ usual: 'proxy', ports: new Map() });
  expect(config({ SLUICE_PATH: 'auto,5432=proxy' }).path).toEqual({
    usual: 'auto',
    ports: new Map([[5432, 'proxy']]),
  });
});

test('in a cluster the table comes from an address over TLS', () => {
  const source = (SLUICE_INJECTOR_ADDRESS: string) =>
    config({ SLUICE_SOURCE: '', SLUICE_INJECTOR_ADDRESS }).source;
  expect(source('10.96.0.20:15010')).toEqual({
    kind: 'tls',
    host: '10.96.0.20',
    port: 15_010,
    serverName: 'sluice-injector.sluice-system.svc',
    tokenFile: '/var/run/sluice/token',
    caFile: '/var/run/sluice/ca.crt',
  });
  expect(source('[fd00::1]:15010')).toMatchObject({ host: 'fd00::1', port: 15_010 });
});

test.each([
  [{ SLUICE_POD_NAME: '' }, 'SLUICE_POD_NAME is required'],
  [{ SLUICE_SOURCE: '/run/s' }, 'SLUICE_SOURCE'],
  [{ SLUICE_SOURCE: 'unix:relative' }, 'SLUICE_SOURCE'],
  [{ SLUICE_SOURCE: '' }, 'SLUICE_INJECTOR_ADDRESS is required (or SLUICE_SOURCE)'],
  [{ SLUICE_INJECTOR_ADDRESS: '10.0.0.1:1' }, 'SLUICE_SOURCE and SLUICE_INJECTOR_ADDRESS are both set'],
  [{ SLUICE_SOURCE: '', SLUICE_INJECTOR_ADDRESS: 'injector:15010' }, 'wants IP:PORT'],
  [{ SLUICE_SOURCE: '', SLUICE_INJECTOR_ADDRESS: '10.0.0.1' }, 'wants IP:PORT'],
  [{ SLUICE_SOURCE: '', SLUICE_INJECTOR_ADDRESS: '10.0.0.1:70000' }, 'wants IP:PORT'],
  [{ SLUICE_SOURCE: '', SLUICE_INJECTOR_ADDRESS: 'fd00::1:15010' }, 'wants IP:PORT'],
  [{ SLUICE_ADMIN_PORT: '65536' }, 'SLUICE_ADMIN_PORT'],
  [{ SLUICE_ADMIN_PORT: '80x' }, 'SLUICE_ADMIN_PORT'],
  [{ SLUICE_DRAIN_SECONDS: '-1' }, 'SLUICE_DRAIN_SECONDS'],
  [{ SLUICE_LOG_LEVEL: 'loud' }, 'SLUICE_LOG_LEVEL'],
  [{ SLUICE_KEEPALIVE_SECONDS: '7200' }, 'SLUICE_PEER_TIMEOUT_SECONDS must be more'],
  [{ SLUICE_NODE_IPS: '10.0.0.1, nonsense' }, 'SLUICE_NODE_IPS'],
  [{ SLUICE_PATH: 'fast' }, "SLUICE_PATH is 'fast': 'fast' is not one of proxy, direct, auto"],
  [{ SLUICE_PATH: 'direct,15021=proxy' }, "SLUICE_PATH has port 15021: it is the sidecar's own"],
  [{ SLUICE_PATH: '80=direct', SLUICE_EXCLUDED_PORTS: '80' }, 'both have port 80'],
])('a wrong value names its variable: %j', (env, named) => {
  expect(() => config(env)).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining(named) }),
  );
});

test.each([
  // The defaults: as the kernel's own keepalive, which gives up after 7,875 s.
  [config({}), { idleSeconds: 60, intervalSeconds: 60, probes: 119 }],
  [
    { keepAliveMs: 1_000, peerTimeoutMs: 4_000 },
    { idleSeconds: 1, intervalSeconds: 1, probes: 3 },
  ],
  // The kernel counts to 127: then they are further apart.
  [
    { keepAliveMs: 1_000, peerTimeoutMs: 7_200_000 },
    { idleSeconds: 1, intervalSeconds: 57, probes: 127 },
  ],
  [
    { keepAliveMs: 3_600_000, peerTimeoutMs: 7_200_000 },
    { idleSeconds: 3_600, intervalSeconds: 3_600, probes: 1 },
  ],
])('keepalive probes fill the time before a peer is given up: %j', (limits, times) => {
  expect(probing(limits)).toEqual(times);
});

test.each([
  ['source', 'ECONNRESET', 'reset-by-source'],
  ['destination', 'EPIPE', 'reset-by-destination'],
  ['source', undefined, 'reset-by-source'],
  ['source', 'ETIMEDOUT', 'peer-timeout'],
  ['source', 'EHOSTUNREACH', 'peer-timeout'],
  ['destination', 'ETIMEDOUT', 'peer-timeout'],
] as const)('the %s that broke with %s: %s', (side, error, end) => {
  expect(brokenEnd(side, error)).toBe(end);
});

test('the connection limit never exceeds what the descriptors allow', () => {
  for (const descriptors of [300, 1_024, 65_536, 1_048_576]) {
    const { flows: affordable } = connectionLimit(0, descriptors, MUCH);
    const used = 2 * affordable + 2 * pipeLimit(descriptors);
    expect(used).toBeGreaterThan(descriptors / 8);
    expect(used).toBeLessThan(descriptors - 100);
    expect(connectionLimit(2_000_000, descriptors, MUCH)).toEqual({ flows: affordable, by: 'descriptors' });
  }
  expect(connectionLimit(100, 1_024, MUCH)).toEqual({ flows: 100, by: 'setting' });
  expect(connectionLimit(0, 10, MUCH).flows).toBe(1);
  expect(descriptorLimit()).toBeGreaterThan(0);
});

test.each([
  [128, 2_000],
  [512, 10_000],
  [1_024, 25_000],
])('with %i MiB of memory it bounds the flows, and leaves room for their buffers', (mebibytes, atLeast) => {
  const memory = mebibytes * 1024 ** 2;
  const { flows, by } = connectionLimit(0, 1_048_576, memory);
  expect(by).toBe('memory');
  expect(flows).toBeGreaterThan(atLeast / 4);
  if (mebibytes >= 512) expect(flows).toBeGreaterThan(atLeast);
  expect(flows * 16 * 1024 + bufferLimit(memory)).toBeLessThan(memory);
  expect(connectionLimit(flows + 1, 1_048_576, memory)).toEqual({ flows, by: 'memory' });
});

test.each([
  [
    'version 2, in a container',
    { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/memory.max': '536870912\n' },
    536_870_912,
  ],
  ['version 2, no limit', { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/memory.max': 'max\n' }, MUCH],
  [
    'version 2, the least of the groups above',
    {
      '/proc/self/cgroup': '0::/pod/sidecar\n',
      '/sys/fs/cgroup/pod/sidecar/memory.max': '900000000\n',
      '/sys/fs/cgroup/pod/memory.max': '800000000\n',
    },
    800_000_000,
  ],
  [
    "version 1, whose path is the host's",
    {
      '/proc/self/cgroup': '5:cpu,cpuacct:/x\n4:memory:/kubepods/pod1/c1\n',
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': '268435456\n',
    },
    268_435_456,
  ],
  [
    'version 1, no limit',
    {
      '/proc/self/cgroup': '4:memory:/\n',
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
    },
    MUCH,
  ],
  ['no control groups', {}, MUCH],
] as const)('the memory limit, %s', (_, files: Readonly<Record<string, string>>, bytes) => {
  expect(memoryLimit((path) => files[path], MUCH)).toBe(bytes);
});

test('each thread of the relay has room for connections that wait for their verdict', () => {
  const WAITING = 128;
  for (const threads of [1, 2, 64]) {
    const used =
      2 * connectionLimit(0, 65_536, MUCH, threads).flows + 2 * pipeLimit(65_536) + threads * WAITING;
    expect(used).toBeLessThan(65_536 - 50);
  }
});

test('the history keeps the last denials and cuts, and the last of the others, in the order in which they ended', async () => {
  const record = (revision: number) => ({ revision }) as FlowRecord;
  const history = new FlowHistory(2);
  const shown = async () => (await history.list()).map(({ revision }) => revision);
  const passes = (revision: number) => history.addPassed({ record: () => Promise.resolve(record(revision)) });
  const late = history.next(); // its record waits for an answer
  history.addStopped(history.next(), record(2));
  for (const revision of [3, 4, 5, 6]) passes(revision);
  history.addStopped(late, record(1));
  expect(await shown()).toEqual([1, 2, 5, 6]);
  history.addStopped(history.next(), record(7));
  passes(8);
  expect(await shown()).toEqual([1, 6, 7, 8]);
  const none = new FlowHistory(0);
  none.addStopped(none.next(), record(1));
  none.addPassed({ record: () => record(2) });
  expect(await none.list()).toEqual([]);
});
