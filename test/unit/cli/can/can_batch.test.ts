import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { pod, shop, temporaryDirectory } from '../../../builders/cli_manifests.ts';
import { runSluice, startSluice } from '../support/sluice_process.ts';

/** 10,000 answers take about a second; a batch that is quadratic in anything takes minutes. */
const BULK_TIMEOUT_MS = 30_000;

function ndjson(values: readonly unknown[]): string {
  return values.map((value) => `${JSON.stringify(value)}\n`).join('');
}

function parseLines(text: string): unknown[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line): unknown => JSON.parse(line));
}

test('each question becomes one answer with its own fields, in the same order', async () => {
  const input = ndjson([
    { from: 'shop/web', to: 'shop/api', port: 8080, protocol: 'TCP' },
    { from: 'other/client', to: 'shop/api', port: 8080, protocol: 'TCP' },
    { from: 'deploy/web', to: 'pod/api', port: 'http' },
    { from: '203.0.113.7', to: 'shop/web', port: '53/UDP', id: 7 },
  ]);
  const { code, stdout, stderr } = await runSluice(
    ['can', '--batch', '-', '-n', 'shop', '-f', shop()],
    input,
  );
  const deny = { verdict: 'deny', reason: 'no-rule' };
  expect(parseLines(stdout)).toMatchObject([
    {
      from: 'shop/web',
      to: 'shop/api',
      port: 8080,
      protocol: 'TCP',
      verdict: 'allow',
      ingress: { reason: 'rule' },
    },
    { from: 'other/client', to: 'shop/api', port: 8080, protocol: 'TCP', verdict: 'deny', ingress: deny },
    { from: 'deploy/web', to: 'pod/api', port: 'http', protocol: 'TCP', verdict: 'allow' },
    { from: '203.0.113.7', to: 'shop/web', port: '53/UDP', protocol: 'UDP', id: 7, verdict: 'deny' },
  ]);
  expect(stderr).toBe('');
  expect(code).toBe(0);
});

test('denied answers do not make the exit code 1', async () => {
  const input = ndjson([{ from: 'other/client', to: 'shop/api', port: 8080 }]);
  const { code } = await runSluice(['can', '--batch', '-', '-f', shop()], input);
  expect(code).toBe(0);
});

test('a bad line gets an error in its place, the others are answered, and the exit code is 2', async () => {
  const good = JSON.stringify({ from: 'shop/web', to: 'shop/api', port: 8080 });
  const lines = [
    good,
    'not json',
    '[]',
    '{"to":"shop/api","port":1}',
    '{"from":"shop/web","to":"shop/api"}',
    '{"from":"shop/web","to":"shop/api","port":1.5}',
    '{"from":"shop/web","to":"shop/api","port":"80/TCP","protocol":"UDP"}',
    '{"from":"shop/web","to":"shop/api","port":80,"protocol":6}',
    '{"from":"shop/gone","to":"shop/api","port":80}',
    good,
  ];
  const { code, stdout } = await runSluice(['can', '--batch', '-', '-f', shop()], lines.join('\n'));
  expect(parseLines(stdout)).toMatchObject([
    { verdict: 'allow' },
    { error: expect.stringContaining('not JSON'), code: 'QUESTION_INVALID', line: 2 },
    { error: expect.stringContaining('wants a JSON object'), line: 3 },
    { error: 'from is missing', line: 4 },
    { error: 'port is missing', line: 5 },
    { error: expect.stringContaining('port wants a whole number'), line: 6 },
    { error: "port '80/TCP' contradicts protocol 'UDP'", code: 'PORT_INVALID', line: 7 },
    { error: expect.stringContaining('protocol wants a text'), line: 8 },
    { from: 'shop/gone', error: 'the manifests have no pod shop/gone', code: 'ENDPOINT_UNKNOWN', line: 9 },
    { verdict: 'allow' },
  ]);
  expect(code).toBe(2);
});

test.each([1024 * 1024 + 1, 5_000_000])(
  'a line of %i characters gets an error in its place, the others are answered',
  async (length) => {
    const good = JSON.stringify({ from: 'shop/web', to: 'shop/api', port: 8080 });
    const long = JSON.stringify({ from: 'x'.repeat(length) }).slice(0, length);
    const dir = shop();
    for (const lines of [
      [good, long, good],
      [good, good, long],
    ]) {
      const { code, stdout, stderr } = await runSluice(['can', '--batch', '-', '-f', dir], lines.join('\n'));
      const answers = lines.map((line, index) =>
        line === good
          ? { verdict: 'allow' }
          : {
              code: 'QUESTION_INVALID',
              error: expect.stringMatching(/longer than 1048576 /),
              line: index + 1,
            },
      );
      expect(parseLines(stdout)).toMatchObject(answers);
      expect(stderr).toBe('');
      expect(code).toBe(2);
    }
  },
);

test('a line of the longest length is still answered', async () => {
  const question = { from: 'shop/web', to: 'shop/api', port: 8080 };
  const filler = 'x'.repeat(1024 * 1024 - JSON.stringify({ ...question, filler: '' }).length);
  const { code, stdout } = await runSluice(
    ['can', '--batch', '-', '-f', shop()],
    `${JSON.stringify({ ...question, filler })}\r\n`,
  );
  expect(parseLines(stdout)).toMatchObject([{ verdict: 'allow' }]);
  expect(code).toBe(0);
});

test('a byte order mark at the start of a line is passed over', async () => {
  const { code, stdout } = await runSluice(
    ['can', '--batch', '-', '-f', shop()],
    '\uFEFF{"from":"shop/web","to":"shop/api","port":8080}\n\uFEFF\n',
  );
  expect(parseLines(stdout)).toMatchObject([{ verdict: 'allow' }]);
  expect(code).toBe(0);
});

test('reads questions from a file; empty lines and carriage returns do not matter', async () => {
  const file = join(temporaryDirectory(), 'questions.ndjson');
  writeFileSync(
    file,
    '{"from":"shop/web","to":"shop/api","port":8080}\r\n\r\n{"from":"shop/web","to":"shop/api","port":1}',
  );
  const { code, stdout } = await runSluice(['can', '--batch', file, '-f', shop()]);
  expect(parseLines(stdout)).toMatchObject([{ verdict: 'allow' }, { verdict: 'deny' }]);
  expect(code).toBe(0);
});

test('a batch file that is not there is one line on stderr and exit 2', async () => {
  const { code, stderr } = await runSluice(['can', '--batch', '/no/such/file', '-f', shop()]);
  expect(stderr).toMatch(/^sluice: --batch \/no\/such\/file cannot be read: [^\n]+\n$/);
  expect(code).toBe(2);
});

test('an answer comes before the next question is written', async () => {
  const child = startSluice(['can', '--batch', '-', '-f', shop()]);
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  for (const port of [8080, 9090]) {
    child.stdin.write(`{"from":"shop/web","to":"shop/api","port":${port}}\n`);
    const { value } = await answers.next();
    expect(JSON.parse(String(value))).toMatchObject({ port, verdict: port === 8080 ? 'allow' : 'deny' });
  }
  child.stdin.end();
  const [code] = await once(child, 'close');
  expect(code).toBe(0);
});

test('ends quietly when the reader of its answers goes away', async () => {
  const child = startSluice(['can', '--batch', '-', '-f', shop()]);
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdin.on('error', () => {});
  const question = '{"from":"shop/web","to":"shop/api","port":8080}\n';
  child.stdin.write(question);
  await once(child.stdout, 'data');
  child.stdout.destroy();
  child.stdin.end(question.repeat(1000));
  await once(child, 'close');
  expect(stderr).toBe('');
});

test('10,000 questions about a namespace of many pods are answered', {
  timeout: BULK_TIMEOUT_MS,
}, async () => {
  const pods = Array.from({ length: 500 }, (_, index) =>
    pod(`shop/p${index}`, { labels: { app: `a${index % 50}` }, ip: `10.2.${index >> 8}.${index & 255}` }),
  );
  const input = ndjson(
    Array.from({ length: 10_000 }, (_, index) => ({
      from: `shop/p${index % 500}`,
      to: index % 2 === 0 ? 'shop/api' : `shop/p${(index * 7) % 500}`,
      port: 8080,
    })),
  );
  const dir = shop(...pods);
  const { code, stdout } = await runSluice(['can', '--batch', '-', '-f', dir], input);
  expect(parseLines(stdout)).toHaveLength(10_000);
  expect(code).toBe(0);
});
