/** A process that keeps tables is killed at any moment: what it said is kept is loaded, or what it kept after that. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { TableFile } from '../../../../sidecar/table/file.ts';
import { expectSameTable } from '../../policy/table_updates.ts';
import { tableAt } from './journaled_tables.ts';

const KILLS = 10;

/** Files that each process writes: most of a test's time is the start of processes. */
const FILES = 5;

/** The longest time from the first table that a process has kept to its end, ms. */
const LIFE_MS = 300;

const PROGRAM = join(import.meta.dirname, 'killed_while_writing.ts');

/** Runs one process and kills it. @returns by folder, the last revision that it said is kept; nothing where it said none */
async function killOne(folders: readonly string[], begin: number): Promise<readonly number[]> {
  const child = spawn(process.execPath, [PROGRAM, String(begin), ...folders], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const closed = once(child, 'close');
    await once(child.stdout, 'data');
    await sleep(Math.random() * LIFE_MS);
    child.kill('SIGKILL');
    await closed;
    const kept: number[] = [];
    for (const line of said.trimEnd().split('\n')) {
      const [index = 0, revision = 0] = line.split(' ').map(Number);
      kept[index] = revision;
    }
    return kept;
  } finally {
    child.kill('SIGKILL');
  }
}

test('what was acknowledged is loaded, or something later', { timeout: 120_000 }, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-killed-'));
  try {
    const folders = Array.from({ length: FILES }, (_, i) => join(dir, String(i)));
    let begin = 1;
    for (let kill = 0; kill < KILLS; kill += 1) {
      const acknowledged = await killOne(folders, begin);
      for (const [i, folder] of folders.entries()) {
        const table = new TableFile(folder, () => undefined).load('shop', 'api')?.table;
        const revision = table?.revision ?? 0;
        expect(revision).toBeGreaterThanOrEqual(acknowledged[i] ?? 0);
        if (table !== undefined) expectSameTable(table, tableAt(revision));
        begin = Math.max(begin, revision + 1);
      }
    }
    expect(begin).toBeGreaterThan(KILLS * FILES);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
