import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openDirectorySource } from '../../../../injector/directory/directory_source.ts';
import type { ClusterSource } from '../../../../injector/source.ts';
import { pod, policy } from '../../../builders/injector_manifests.ts';
import { namespace } from '../../../builders/manifests.ts';
import { captureLog, type LogLine } from '../captured_log.ts';
import { ManifestDir, yaml } from '../manifest_dir.ts';
import { waitFor } from '../wait_for.ts';

const BROKEN = 'kind: Pod\nmetadata: {name: x\n';

let dir: ManifestDir;
let source: ClusterSource;
let lines: LogLine[];

async function open(path = dir.path): Promise<void> {
  const captured = captureLog();
  lines = captured.lines;
  source = await openDirectorySource(path, captured.log);
}

const ips = (key: string): string | undefined => source.cluster.pods.get(key)?.ips.join();
const errors = (): string[] => lines.filter((line) => line.level === 'error').map((line) => line.msg);

beforeEach(() => {
  dir = new ManifestDir();
  dir.write('web.yaml', pod('web', '10.0.0.1'));
});
afterEach(async () => {
  await source?.close();
  dir.close();
});

describe('a watched directory', () => {
  test('takes in new, changed, replaced and deleted files, also in new subdirectories', async () => {
    await open();
    dir.write('api.yaml', pod('api', '10.0.0.2'));
    await waitFor(() => ips('shop/api') === '10.0.0.2');
    dir.write('api.yaml', pod('api', '10.0.0.3'));
    await waitFor(() => ips('shop/api') === '10.0.0.3');
    dir.replace('api.yaml', pod('api', '10.0.0.4'));
    await waitFor(() => ips('shop/api') === '10.0.0.4');
    dir.write('deep/er/db.yaml', pod('db', '10.0.0.5'));
    await waitFor(() => ips('shop/db') === '10.0.0.5');
    dir.write('deep/er/db.yaml', pod('db', '10.0.0.6'));
    await waitFor(() => ips('shop/db') === '10.0.0.6');
    dir.remove('api.yaml');
    dir.remove('deep');
    await waitFor(() => [...source.cluster.pods.keys()].join() === 'shop/web');
    expect(source.problems).toEqual([]);
  });

  test('shows each of many quick writes of the same size', async () => {
    await open();
    for (let round = 0; round < 40; round += 1) {
      const ip = `10.0.0.${100 + round}`;
      dir.write('web.yaml', pod('web', ip));
      await source.refresh();
      expect(ips('shop/web')).toBe(ip);
    }
  });

  test('keeps what it has while a save is under way, and logs nothing of it', async () => {
    await open();
    const seen: (string | undefined)[] = [];
    source.onChange({ clusterChanged: () => void seen.push(ips('shop/web')) });
    const whole = yaml(pod('web', '10.0.0.7'));
    // Half a document, then nothing at all, then a file away for a moment: each for longer than the debounce.
    for (const half of [BROKEN, '', undefined]) {
      if (half === undefined) dir.remove('web.yaml');
      else writeFileSync(dir.file('web.yaml'), half);
      await new Promise((resolve) => setTimeout(resolve, 40));
      expect(ips('shop/web')).toBe('10.0.0.1');
      writeFileSync(dir.file('web.yaml'), yaml(pod('web', '10.0.0.1')));
      await source.refresh();
    }
    writeFileSync(dir.file('web.yaml'), whole);
    await waitFor(() => ips('shop/web') === '10.0.0.7');
    expect(seen).toEqual(['10.0.0.7']);
    expect(errors()).toEqual([]);
  });

  test('keeps the objects of a file that has become empty until it is written or removed', async () => {
    await open();
    dir.write('web.yaml', ' \n');
    await waitFor(() => source.problems.length === 1);
    expect(ips('shop/web')).toBe('10.0.0.1');
    expect(errors()).toHaveLength(1);
    dir.write('web.yaml', pod('web', '10.0.0.2'));
    await waitFor(() => ips('shop/web') === '10.0.0.2');
    expect(source.problems).toEqual([]);
    dir.write('web.yaml', '');
    await waitFor(() => source.problems.length === 1);
    dir.remove('web.yaml');
    await waitFor(() => ips('shop/web') === undefined);
    expect(source.problems).toEqual([]);
  });

  test('takes away the objects of a file that holds comments only', async () => {
    await open();
    dir.write('web.yaml', '# nothing any more\n');
    await waitFor(() => ips('shop/web') === undefined);
    expect(source.problems).toEqual([]);
  });

  test('keeps the last good state of a broken file, says what is wrong, and when it is mended', async () => {
    await open();
    dir.write('web.yaml', namespace('shop'), BROKEN);
    await waitFor(() => source.problems.length === 1);
    expect(ips('shop/web')).toBe('10.0.0.1');
    expect(source.problems[0]).toMatchObject({ file: dir.file('web.yaml'), document: 2, severity: 'error' });
    expect(errors()).toHaveLength(1);
    // What is readable is taken in all the same.
    expect(source.cluster.namespaces.has('shop')).toBe(true);
    dir.write('web.yaml', pod('web', '10.0.0.8'));
    await waitFor(() => ips('shop/web') === '10.0.0.8');
    expect(source.problems).toEqual([]);
    expect(lines.some((line) => line.msg.startsWith('manifest problem is gone'))).toBe(true);
    expect(errors()).toHaveLength(1);
  });

  test('keeps the last good version of a policy that an edit breaks, and isolates by one that was never good', async () => {
    dir.write('p.yaml', policy('old', 'api', ['web']));
    await open();
    const ports = { ingress: [{ ports: [{ port: -1 }] }] };
    dir.write('p.yaml', policy('old', 'api', [], ports), policy('new', 'db', ['web'], ports));
    await waitFor(() => source.problems.length === 2);
    expect(source.cluster.policies.get('shop/old')?.ingress).toHaveLength(1);
    expect(source.cluster.policies.get('shop/new')).toMatchObject({
      podSelector: { matchLabels: { app: 'db' } },
      ingress: [],
    });
    expect(source.problems[0]?.path).toBe('spec.ingress[0].ports[0].port');
  });

  test.each(['nowhere', 'deny.yaml'])('keeps what a link led to that now leads to %s', async (target) => {
    writeFileSync(join(dir.root, 'deny'), yaml(policy('deny', 'web', [])));
    symlinkSync(join(dir.root, 'deny'), dir.file('deny.yaml'));
    await open();
    expect(source.cluster.policies.has('shop/deny')).toBe(true);
    symlinkSync(dir.file(target), dir.file('.next'));
    renameSync(dir.file('.next'), dir.file('deny.yaml'));
    await waitFor(() => errors().length === 1);
    expect(errors()[0]).toContain('deny.yaml: cannot be read');
    expect(source.cluster.policies.has('shop/deny')).toBe(true);
    dir.write('api.yaml', pod('api', '10.0.0.2'));
    await waitFor(() => ips('shop/api') === '10.0.0.2');
    dir.remove('deny.yaml');
    await waitFor(() => !source.cluster.policies.has('shop/deny'));
    expect(source.problems).toEqual([]);
  });

  test('keeps a policy whose document is no longer recognised', async () => {
    dir.write('p.yaml', policy('old', 'api', ['web']));
    await open();
    dir.write('p.yaml', { ...policy('old', 'api', ['web']), kind: 'NetworkPolcy' });
    await waitFor(() => source.problems.length === 1);
    expect(source.cluster.policies.has('shop/old')).toBe(true);
  });

  test('lets the version in force stay when a second file brings another', async () => {
    await open();
    dir.write('a.yaml', pod('web', '10.0.0.9'));
    await waitFor(() => source.problems.length === 1);
    expect(ips('shop/web')).toBe('10.0.0.1');
    expect(source.problems[0]).toMatchObject({ file: dir.file('a.yaml'), document: 1 });
    expect(source.problems[0]?.message).toContain(dir.file('web.yaml'));
    dir.remove('web.yaml');
    await waitFor(() => ips('shop/web') === '10.0.0.9');
    expect(source.problems).toEqual([]);
  });

  test('does not take a comment for a change of the cluster', async () => {
    await open();
    const before = source.cluster;
    dir.write('web.yaml', `# a comment\n${yaml(pod('web', '10.0.0.1'))}`);
    await source.refresh();
    expect(source.cluster).toBe(before);
  });

  test('keeps everything when the directory goes away, and goes on when it is back', async () => {
    await open();
    renameSync(dir.path, `${dir.path}.away`);
    await waitFor(() => source.problems.length === 1);
    expect(source.problems[0]).toMatchObject({ file: dir.path, document: 0 });
    expect(ips('shop/web')).toBe('10.0.0.1');
    mkdirSync(dir.path);
    dir.write('web.yaml', pod('web', '10.0.0.5'));
    await waitFor(() => ips('shop/web') === '10.0.0.5');
    dir.write('web.yaml', pod('web', '10.0.0.6'));
    await waitFor(() => ips('shop/web') === '10.0.0.6');
    expect(source.problems).toEqual([]);
  });

  test('follows the links of a mounted ConfigMap when they are swapped', async () => {
    const mount = join(dir.root, 'mount');
    for (const [version, ip] of [
      ['..v1', '10.0.0.1'],
      ['..v2', '10.0.0.2'],
    ] as const) {
      mkdirSync(join(mount, version), { recursive: true });
      writeFileSync(join(mount, version, 'web.yaml'), yaml(pod('web', ip)));
    }
    symlinkSync('..v1', join(mount, '..data'));
    symlinkSync('..data/web.yaml', join(mount, 'web.yaml'));
    await open(mount);
    expect(ips('shop/web')).toBe('10.0.0.1');
    symlinkSync('..v2', join(mount, '..next'));
    renameSync(join(mount, '..next'), join(mount, '..data'));
    rmSync(join(mount, '..v1'), { recursive: true });
    await waitFor(() => ips('shop/web') === '10.0.0.2');
  });

  test('tells which objects changed, and of problems without any', async () => {
    dir.write('api.yaml', pod('api', '10.0.0.2'));
    await open();
    const passedOn: string[] = [];
    source.onChange({
      clusterChanged(changes) {
        passedOn.push(
          changes.map(({ kind, key, object }) => `${kind} ${key} ${object ? 'is' : 'gone'}`).join(),
        );
      },
    });
    dir.write('web.yaml', pod('web', '10.0.0.9'));
    await source.refresh();
    dir.write('more.yaml', namespace('shop'));
    await source.refresh();
    dir.remove('api.yaml');
    await source.refresh();
    dir.write('broken.yaml', BROKEN);
    await source.refresh();
    expect(passedOn).toEqual(['Pod shop/web is', 'Namespace shop is', 'Pod shop/api gone', '']);
  });

  test('fails to open what is no directory', async () => {
    const { log } = captureLog();
    await expect(openDirectorySource(dir.file('nowhere'), log)).rejects.toMatchObject({
      code: 'MANIFEST_UNREADABLE',
    });
    await expect(openDirectorySource(dir.file('web.yaml'), log)).rejects.toMatchObject({
      code: 'MANIFEST_UNREADABLE',
    });
  });

  test('leaves no watch behind when closed', async () => {
    const inotify = (): number =>
      readdirSync('/proc/self/fdinfo').flatMap((fd) => {
        try {
          return readInotifyWatches(fd);
        } catch {
          return [];
        }
      }).length;
    const before = inotify();
    await open();
    expect(inotify()).toBeGreaterThan(before);
    await source.close();
    expect(inotify()).toBe(before);
  });
});

function readInotifyWatches(fd: string): string[] {
  const { readFileSync } = process.getBuiltinModule('node:fs');
  return readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('inotify wd'));
}
