import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { tableJson } from '../../../../policy/index.ts';
import { pod, policy } from '../../../builders/injector_manifests.ts';
import type { Manifest } from '../../../builders/manifests.ts';
import { type Entrance, RunningInjector } from '../running_injector.ts';
import type { TestSidecar } from '../test_sidecar.ts';
import { waitFor } from '../wait_for.ts';

let injector: RunningInjector;

afterEach(() => injector.close());

/** Every pod of the namespace has to know every other one. */
function everybodyIn() {
  const ingress = [{ from: [{ podSelector: {} }] }];
  return policy('all', '', [], { podSelector: {}, ingress });
}

/** Many pods, each round others of the same names: a large change. */
function crowd(round: number): void {
  const pods = Array.from({ length: 400 }, (_, i) =>
    another(pod(`p${i}`, `10.1.${i >> 8}.${i & 255}`), `${round} ${randomBytes(150).toString('base64')}`),
  );
  injector.dir.write('crowd.json', JSON.stringify({ apiVersion: 'v1', kind: 'List', items: pods }));
}

/** The pod with this UID. */
function another(manifest: Manifest, uid: string): Manifest {
  return { ...manifest, metadata: { ...(manifest.metadata as object), uid } };
}

/** The tag that a table has for an address. */
function tagAt({ table }: TestSidecar, address: string): string | undefined {
  return [...(table?.groups.values() ?? [])]
    .map(({ members }) => members.get(address))
    .find((tag) => tag !== undefined);
}

describe.each<Entrance>(['unix socket', 'TLS'])('a connection over %s', (entrance) => {
  beforeEach(() => {
    injector = new RunningInjector(entrance);
    injector.dir.write('pods.yaml', pod('web', '10.0.0.1'), pod('api', '10.0.0.2'));
    injector.dir.write('all.yaml', everybodyIn());
  });

  test.each([
    ['that is not JSON', 'hello\n'],
    ['of an unknown type', '{"type":"greetings"}\n'],
    ['that lacks a field', '{"type":"hello","schema":1}\n'],
    ['of another schema', '{"type":"hello","schema":99,"namespace":"shop","pod":"web"}\n'],
    ['longer than the limit', 'x'.repeat(70_000)],
  ])('answers a frame %s with the reason, cuts it, and hurts no one else', async (_, text) => {
    await injector.start();
    const web = await injector.sidecar('shop/web');
    const bad = injector.connection();
    bad.sendText(text);
    await waitFor(() => bad.closed);
    expect(bad.types).toEqual(['refused']);
    expect(web.closed).toBe(false);
    injector.dir.write('more.yaml', pod('db', '10.0.0.3'));
    await waitFor(() => tagAt(web, '10.0.0.3'));
  });

  test('complains once about many bad frames that come together', async () => {
    await injector.start();
    const bad = injector.connection();
    bad.sendText('hello\n'.repeat(1_000));
    await waitFor(() => bad.closed);
    expect(bad.types).toEqual(['refused']);
    expect(injector.lines.filter((line) => line.msg.includes('refused'))).toHaveLength(1);
  });

  test('cuts a connection that says nothing', async () => {
    await injector.start({ helloTimeoutMs: 500 });
    const silent = injector.connection();
    await waitFor(() => silent.closed);
    expect(injector.cuts('no-hello')).toHaveLength(1);
  });

  test('cuts a reader whose queue grows too long, and goes on serving the others', async () => {
    await injector.start({ maxQueuedBytes: 50_000, maxStalledBeats: 1_000 });
    const web = await injector.sidecar('shop/web');
    const slow = await injector.sidecar('shop/api');
    slow.pause();
    for (let round = 0; injector.cuts('slow').length === 0; round += 1) {
      expect(round).toBeLessThan(100);
      crowd(round);
      await injector.status('?refresh=1');
      await waitFor(() => tagAt(web, '10.1.0.1')?.startsWith(`${round} `));
    }
    expect((await injector.status()).sidecars.find(({ pod }) => pod === 'api')?.connected).toBe(false);
    const again = await injector.sidecar('shop/api');
    expect(again.types).toEqual(['snapshot']);
    expect(again.table && tableJson(again.table).groups).toEqual(web.table && tableJson(web.table).groups);
  });

  test('cuts a reader that has stopped reading although little is queued', async () => {
    await injector.start({ heartbeatMs: 20, maxStalledBeats: 3 });
    const slow = await injector.sidecar('shop/api');
    slow.pause();
    for (let round = 0; injector.cuts('slow').length === 0; round += 1) {
      expect(round).toBeLessThan(1_000); // rounds are faster than the ten changes a second that a sidecar is sent
      crowd(round);
      await injector.status('?refresh=1');
    }
    expect(injector.cuts('slow')[0]?.queued_bytes).toBeLessThan(4 * 1024 * 1024);
  }, 60_000);

  test('serves 199 readers while one is stuck, and cuts that one only', async () => {
    const names = Array.from({ length: 200 }, (_, index) => `r${index}`);
    injector.dir.write('readers.yaml', ...names.map((name, index) => pod(name, `10.2.0.${index}`)));
    // The stuck one's table changes by much each time, the others' by little.
    const from = (podSelector: object) => ({ ingress: [{ from: [{ podSelector }] }] });
    injector.dir.write('all.yaml', policy('stuck', 'r0', [], from({})));
    injector.dir.write(
      'rest.yaml',
      policy('rest', '', [], { podSelector: {}, ...from({ matchLabels: { app: 'beacon' } }) }),
    );
    const oneAddress = { maxPerAddress: 200, handshakes: { burst: 200, perSecond: 200 } };
    await injector.start({ maxQueuedBytes: 20_000, maxStalledBeats: 1_000, ...oneAddress });
    const [stuck, ...readers] = await Promise.all(names.map((name) => injector.sidecar(`shop/${name}`)));
    stuck?.pause();
    for (let round = 0; injector.cuts('slow').length === 0; round += 1) {
      expect(round).toBeLessThan(300);
      crowd(round);
      injector.dir.write('beacon.yaml', another(pod('beacon', '10.3.0.1'), `beacon ${round}`));
      await injector.status('?refresh=1');
      const seen = (one: TestSidecar) => tagAt(one, '10.3.0.1') === `beacon ${round}`;
      await waitFor(() => readers.every(seen), 30_000);
    }
    expect(injector.cuts('slow')).toHaveLength(1);
    expect(readers.some(({ closed }) => closed)).toBe(false);
    const { sidecars } = await injector.status();
    expect(sidecars.filter(({ connected }) => connected)).toHaveLength(199);
  }, 60_000);
});
