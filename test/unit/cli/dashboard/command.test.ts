/** `sluice dashboard` as it is run. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { DashboardFacts } from '../../../../cli/dashboard/form.ts';
import { runTool } from '../../../../common/run_tool.ts';
import { SLUICE } from '../../../netns/harness.ts';

const ROOT = join(import.meta.dirname, '../../../..');
const SHOP = ['-i', join(ROOT, 'examples/shop/flows.ndjson'), '-f', join(ROOT, 'examples/shop/manifests')];

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-dashboard-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let running: ChildProcess | undefined;
afterEach(() => running?.kill('SIGKILL'));

/** The link that is printed. */
async function start(...args: string[]): Promise<URL> {
  const child = spawn(SLUICE, ['dashboard', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  running = child;
  let text = '';
  return await new Promise((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      const [link] = /http:\/\/127\.0\.0\.1:\d+\/#token=\S+(?=\n)/.exec(text) ?? [];
      if (link !== undefined) resolve(new URL(link));
    });
    child.once('exit', () => reject(new Error(`no link: ${text}`)));
  });
}

async function facts(link: URL): Promise<DashboardFacts> {
  const body = JSON.stringify({ token: link.hash.replace('#token=', '') });
  const { origin } = link;
  const opened = await fetch(`${origin}/api/session`, { method: 'POST', body, headers: { origin } });
  const { session } = (await opened.json()) as { session: string };
  const answer = await fetch(`${origin}/api/facts`, { headers: { authorization: `Bearer ${session}` } });
  return (await answer.json()) as DashboardFacts;
}

test('serves the page of a file and its manifests until Ctrl-C', async () => {
  const link = await start(...SHOP);
  expect(await (await fetch(link.origin)).text()).toContain('/page.js');
  const { source, workloads, policies, allowed } = await facts(link);
  expect(source).toMatchObject({ live: false, flags: SHOP.slice(2) });
  expect(workloads).toContainEqual({ namespace: 'shop', workload: 'cronjob/backup', pods: 0 });
  expect(policies.find(({ name }) => name === 'shop/db-clients')).toMatchObject({
    selector: 'app=db',
    workloads: 1,
    rules: [
      { direction: 'ingress', index: 0, yaml: expect.stringContaining('port: pg') },
      { index: 1 },
      { index: 2 },
    ],
  });
  expect(allowed).toContainEqual({
    src: { namespace: 'shop', workload: 'cronjob/backup' },
    dst: { namespace: 'shop', workload: 'sts/db' },
    ports: 'TCP/5432',
    rules: [{ policy: 'shop/db-clients', direction: 'ingress', index: 2 }],
  });
  running?.kill('SIGINT');
  expect(await once(running ?? process, 'exit')).toEqual([0, null]);
});

test('says what is wrong before there is a page', async () => {
  const bad = join(folder, 'bad.ndjson');
  writeFileSync(bad, '{}\n');
  const run = (...args: string[]) => runTool([SLUICE, 'dashboard', ...args], { timeMs: 60_000 });
  const wrong: [string[], string][] = [
    [['-i', bad], 'line 1'],
    [['-i', join(folder, 'none')], 'cannot be read'],
    [['-i', '-'], 'write the flows to a file'],
    [['--lab', 'x', '-f', 'y'], 'name it with -i FILE'],
    [['-i', bad, '--port', '99999'], 'wants a number'],
    [['-i', bad, 'word'], 'word'],
  ];
  for (const [args, message] of wrong) {
    const { status, stderr } = await run(...args);
    expect([status, stderr], args.join(' ')).toEqual([2, expect.stringContaining(message)]);
  }
});

test('ends by itself when its time is over', async () => {
  const { status } = await runTool([SLUICE, 'dashboard', ...SHOP, '--timeout', '3s'], { timeMs: 60_000 });
  expect(status).toBe(124);
});
