/** The log as a process writes it: whole lines, in order, none lost at an exit. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { RecordLog } from '../../../common/log.ts';
import type { LogLine } from '../injector/captured_log.ts';

const LOG = join(import.meta.dirname, '../../../common/log.ts');

/** Runs a program that has `log`, `records` and `turn`; its lines. */
function linesOf(program: string, level = 'info'): LogLine[] {
  const source = `
    import { setImmediate as turn } from 'node:timers/promises';
    import { openLog, RecordLog, standardOutput } from ${JSON.stringify(LOG)};
    const output = standardOutput();
    const log = openLog(${JSON.stringify(level)}, output);
    const records = new RecordLog(log, output);
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
    records.write('warn', ${JSON.stringify(RECORD)}, 'flow denied');
    log.warn(${JSON.stringify(fields)}, 'flow denied');`);
  expect(own).toEqual({ level: 'warn', ...RECORD, msg: 'flow denied' });
  expect({ ...pinos, time: RECORD.time }).toEqual(own);
  expect(Object.keys(own ?? {})).toEqual(Object.keys(pinos ?? {}));
});

test('records and other lines come in the order in which they were written', () => {
  const lines = linesOf(`
    log.info('first');
    records.write('info', ${JSON.stringify(RECORD)}, 'flow ended');
    log.info('last');`);
  expect(lines.map(({ msg }) => msg)).toEqual(['first', 'flow ended', 'last']);
});

test('a record is one line, and is written to the output of the log', () => {
  const written: string[] = [];
  const records = new RecordLog({ isLevelEnabled: () => true }, { write: (line) => written.push(line) });
  records.write('warn', RECORD, 'flow denied');
  expect(written).toEqual([`${JSON.stringify({ level: 'warn', ...RECORD, msg: 'flow denied' })}\n`]);
});

test('a record below the level is not written', () => {
  const lines = linesOf(
    `records.write('info', ${JSON.stringify(RECORD)}, 'flow ended'); log.warn('last');`,
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
