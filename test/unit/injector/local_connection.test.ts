import { spawnSync } from 'node:child_process';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { pod } from './manifest_builders.ts';
import { RunningInjector } from './running_injector.ts';
import { waitFor } from './wait_for.ts';

let injector: RunningInjector;

beforeEach(() => {
  injector = new RunningInjector();
  injector.dir.write('pods.yaml', pod('web', '10.0.0.1'), pod('api', '10.0.0.2'));
});
afterEach(() => injector.close());

/** Many pods whose labels all change with `round`: a large delta. */
function crowd(round: number): void {
  const pods = Array.from({ length: 400 }, (_, i) =>
    pod(`p${i}`, `10.1.${i >> 8}.${i & 255}`, { round: `${round}` }),
  );
  injector.dir.write('crowd.json', JSON.stringify({ apiVersion: 'v1', kind: 'List', items: pods }));
}

describe('the local connection', () => {
  test('is for the owner only', async () => {
    await injector.start();
    for (const path of [injector.socket, injector.statusSocket])
      expect((statSync(path).mode & 0o777).toString(8)).toBe('600');
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
    expect(bad.types).toEqual(['unknown-pod']);
    expect(web.closed).toBe(false);
    injector.dir.write('more.yaml', pod('db', '10.0.0.3'));
    await waitFor(() => web.table?.pods['10.0.0.3']);
  });

  test('complains once about many bad frames that come together', async () => {
    await injector.start();
    const bad = injector.connection();
    bad.sendText('hello\n'.repeat(1_000));
    await waitFor(() => bad.closed);
    expect(bad.types).toEqual(['unknown-pod']);
    expect(injector.lines.filter((line) => line.msg.includes('refused'))).toHaveLength(1);
  });

  test('cuts a connection that says nothing', async () => {
    await injector.start({ helloTimeoutMs: 20 });
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
      await waitFor(() => web.table?.pods['10.1.0.1']?.labels.round === `${round}`);
    }
    expect((await injector.status()).sidecars.find(({ pod }) => pod === 'api')?.connected).toBe(false);
    const again = await injector.sidecar('shop/api');
    expect(again.types).toEqual(['snapshot']);
    expect(again.table?.pods).toEqual(web.table?.pods);
  });

  test('cuts a reader that has stopped reading although little is queued', async () => {
    await injector.start({ heartbeatMs: 20, maxStalledBeats: 3 });
    const slow = await injector.sidecar('shop/api');
    slow.pause();
    for (let round = 0; injector.cuts('slow').length === 0; round += 1) {
      expect(round).toBeLessThan(100);
      crowd(round);
      await injector.status('?refresh=1');
    }
    expect(injector.cuts('slow')[0]?.queued_bytes).toBeLessThan(4 * 1024 * 1024);
  });

  test('takes the place of a socket file that nobody listens on', async () => {
    // A process that listens and is killed leaves its socket file behind.
    const script = `require('net').createServer().listen(${JSON.stringify(injector.socket)}, () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', script]);
    expect(existsSync(injector.socket)).toBe(true);
    await injector.start();
    await injector.sidecar('shop/web');
  });

  test('leaves a socket alone that someone listens on, and a file that is no socket', async () => {
    await injector.start();
    const other = new RunningInjector();
    const { startInjector } = await import('../../../injector/injector.ts');
    const { captureLog } = await import('./captured_log.ts');
    const { log } = captureLog();
    const paths = { dir: injector.dir.path, socket: injector.socket };
    await expect(startInjector(paths, log)).rejects.toMatchObject({ code: 'LISTEN_PATH_IN_USE' });
    writeFileSync(other.socket, 'precious');
    await expect(startInjector({ ...paths, socket: other.socket }, log)).rejects.toMatchObject({
      code: 'LISTEN_PATH_UNUSABLE',
    });
    await expect(startInjector({ ...paths, socket: `/tmp/${'x'.repeat(120)}` }, log)).rejects.toMatchObject({
      code: 'LISTEN_PATH_UNUSABLE',
    });
    await other.close();
    await injector.sidecar('shop/web');
  });

  test('removes its socket files when it stops', async () => {
    await injector.start();
    await injector.stop();
    expect(existsSync(injector.socket)).toBe(false);
    expect(existsSync(injector.statusSocket)).toBe(false);
  });
});

describe('the status socket', () => {
  test('serves health, status and metrics, and nothing else', async () => {
    await injector.start();
    const web = await injector.sidecar('shop/web');
    await waitFor(async () =>
      (await injector.status()).sidecars.some(({ enforced }) => enforced === web.table?.revision),
    );
    expect(await injector.get('/healthz')).toEqual({ code: 200, body: 'ok\n' });
    expect((await injector.get('/elsewhere')).code).toBe(404);
    const { body } = await injector.get('/metrics');
    expect(body).toContain('sluice_injector_sidecars{state="enforcing"} 1');
    expect(body).toContain('sluice_injector_sidecars{state="absent"} 1');
    expect(body).toContain('sluice_injector_frames_sent_total{type="snapshot"} 1');
    expect(body).toContain('sluice_injector_manifest_problems{severity="error"} 0');
    expect(body).toMatch(/sluice_injector_revision \d{13}/);
  });
});
