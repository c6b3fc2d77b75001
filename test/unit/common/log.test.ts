/** The log as a process writes it: whole lines, in order, none lost at an exit. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { expect, test } from 'vitest';
import { logRecord } from '../../../common/log.ts';
import type { LogLine } from '../injector/captured_log.ts';

const LOG = join(import.meta.dirname, '../../../common/log.ts');

/** Runs a program that has `log`, `logRecord` and `turn`; its lines. */
function linesOf(program: string, level = 'info'): LogLine[] {
  const source = `
    import { setImmediate as turn } from 'node:timers/promises';
    import { logRecord, openLog } from ${JSON.stringify(LOG)};
    const log = openLog(${JSON.stringify(level)});
    ${program}`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', source], {
    encoding: 'utf8',
    maxBuffer: 2 ** 24,
  });
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

const RECORD = {
  time: '2026-01-02T03:04:05.678Z',
  src: { addr: '10.0.0.1', port: 1 },
  text: 'a "quoted" word',
};

test('a record is the line that the log would write', () => {
  const { time: _, ...fields } = RECORD;
  const [own, pinos] = linesOf(`
    logRecord(log, 'warn', ${JSON.stringify(RECORD)}, 'flow denied');
    log.warn(${JSON.stringify(fields)}, 'flow denied');`);
  expect(own).toEqual({ level: 'warn', ...RECORD, msg: 'flow denied' });
  expect({ ...pinos, time: RECORD.time }).toEqual(own);
  expect(Object.keys(own ?? {})).toEqual(Object.keys(pinos ?? {}));
});

test('where the log has no stream of its own to be found, a record goes the usual way', () => {
  const written: unknown[] = [];
  const log = {
    isLevelEnabled: () => true,
    warn: (record: object, msg: string) => written.push({ ...record, msg }),
  };
  logRecord(log as unknown as Logger, 'warn', RECORD, 'flow denied');
  expect(written).toEqual([{ ...RECORD, msg: 'flow denied' }]);
});

test('a record below the level is not written', () => {
  const lines = linesOf(
    `logRecord(log, 'info', ${JSON.stringify(RECORD)}, 'flow ended'); log.warn('last');`,
    'warn',
  );
  expect(lines.map(({ msg }) => msg)).toEqual(['last']);
});

test('lines of many turns come in order, and no large one is cut', () => {
  const text = 'x'.repeat(100_000);
  const lines = linesOf(`
    for (let i = 0; i < 50; i += 1) {
      log.info({ i, text: '${text}' }, 'line');
      if (i % 7 === 0) await turn();
    }`);
  expect(lines.map(({ i }) => i)).toEqual(Array.from({ length: 50 }, (_, i) => i));
  expect(lines.every((line) => line.text === text)).toBe(true);
});

test.each([
  ['process.exit', 'process.exit(3);'],
  ['an exception', 'throw new Error("gone");'],
  ['the end of the program', ''],
])('what was logged before %s is written', (_, end) => {
  const lines = linesOf(`log.info('first'); log.error('last'); ${end}`);
  expect(lines.map(({ msg }) => msg)).toEqual(['first', 'last']);
});
