import { spawnSync } from 'node:child_process';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { pod } from '../../../builders/injector_manifests.ts';
import { RunningInjector } from '../running_injector.ts';
import { waitFor } from '../wait_for.ts';

let injector: RunningInjector;

beforeEach(() => {
  injector = new RunningInjector();
  injector.dir.write('pods.yaml', pod('web', '10.0.0.1'), pod('api', '10.0.0.2'));
});
afterEach(() => injector.close());

describe('the local connection', () => {
  test('is for the owner only', async () => {
    await injector.start();
    for (const path of [injector.socket, injector.statusSocket])
      expect((statSync(path).mode & 0o777).toString(8)).toBe('600');
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
    const { startDirectoryInjector } = await import('../../../../injector/directory_injector.ts');
    const { captureLog } = await import('../captured_log.ts');
    const { log } = captureLog();
    const paths = { dir: injector.dir.path, socket: injector.socket };
    await expect(startDirectoryInjector(paths, log)).rejects.toMatchObject({ code: 'LISTEN_PATH_IN_USE' });
    writeFileSync(other.socket, 'precious');
    await expect(startDirectoryInjector({ ...paths, socket: other.socket }, log)).rejects.toMatchObject({
      code: 'LISTEN_PATH_UNUSABLE',
    });
    await expect(
      startDirectoryInjector({ ...paths, socket: `/tmp/${'x'.repeat(120)}` }, log),
    ).rejects.toMatchObject({
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
    expect(body).toContain('sluice_injector_sidecar_paths{path="proxy"} 1');
    expect(body).toContain('sluice_injector_frames_sent_total{type="snapshot"} 1');
    expect(body).toContain('sluice_injector_manifest_problems{severity="error"} 0');
    expect(body).toMatch(/sluice_injector_revision \d{13}/);
  });
});
