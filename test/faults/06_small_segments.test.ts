/**
 * Case 6: given a way full of 1-byte and MSS segments, when the reader stalls 5 s and resumes, then nothing hangs, all bytes arrive, and
 * the sidecar uses less than 2 % of a processor meanwhile.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { inNetns } from '../../lab/processes/netns.ts';
import { namespace, node, pod } from '../builders/manifests.ts';
import { run } from '../netns/command.ts';
import { until, useLab } from '../netns/harness.ts';

const APP = '10.1.1.10';
const PORT = 9_098;

/** What the text says. */
const STALL_MS = 5_000;
const CPU_PERCENT = 2;

/** Ticks of proc(5) a second: USER_HZ is 100 on every architecture. */
const TICKS_PER_SECOND = 100;

const net = useLab({
  objects: [node(1), namespace('x'), pod('x/app', { ips: [APP] }), pod('x/client', { ips: ['10.1.1.11'] })],
});

const script = (from: string, text: string) =>
  run(inNetns(net.lab.netns(from), [process.execPath, '--input-type=module', '-e', text]));

/** Accepts one connection, does not read for the stall, then reads to the end and answers count and digest. */
const SERVER = `
  import { createHash } from 'node:crypto';
  import { createServer } from 'node:net';
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    server.close();
    const hash = createHash('sha256');
    let bytes = 0;
    socket.on('data', (chunk) => { hash.update(chunk); bytes += chunk.length; });
    socket.on('end', () => socket.end(bytes + ' ' + hash.digest('hex')));
    setTimeout(() => socket.resume(), ${STALL_MS} + 2000);
  });
  server.listen(${PORT}, '${APP}');`;

/** Sends segments of 1 byte and of 1,448 in turn until nothing more is taken for a second, ends, and says what came back. */
const CLIENT = `
  import { createHash } from 'node:crypto';
  import { connect } from 'node:net';
  const socket = connect({ host: '${APP}', port: ${PORT}, noDelay: true, allowHalfOpen: true });
  const hash = createHash('sha256');
  let bytes = 0, turn = 0, taken = performance.now();
  socket.on('drain', () => { taken = performance.now(); });
  const more = () => {
    while (!socket.writableNeedDrain) {
      const chunk = Buffer.alloc(turn % 2 === 0 ? 1 : 1448, turn);
      turn += 1;
      bytes += chunk.length;
      hash.update(chunk);
      socket.write(chunk);
    }
    if (performance.now() - taken < 1000) return setTimeout(more, 1);
    socket.end();
    let answer = '';
    socket.on('data', (chunk) => { answer += chunk; });
    socket.on('end', () => console.log(bytes + ' ' + hash.digest('hex') + ' ' + answer));
  };
  socket.on('connect', more);`;

test('a way full of small and large segments neither hangs nor spins while its reader stalls', async () => {
  const server = script('x/app', SERVER);
  await until('the app listens', async () => {
    const listeners = await run(inNetns(net.lab.netns('x/app'), ['ss', '-ltnH', `sport = :${PORT}`]));
    return listeners !== '';
  });
  const { pid } = net.lab.process('x/app', 'sidecar');
  const client = script('x/client', CLIENT);
  const answer = client.then((text) => text.trim().split('\n').at(-1)?.split(' ') ?? []);
  // From 2 s on the client has filled the way; until 7 s the reader does nothing.
  await new Promise((resolve) => setTimeout(resolve, 3_500));
  const before = cpuTicks(pid);
  const at = performance.now();
  await new Promise((resolve) => setTimeout(resolve, STALL_MS - 2_500));
  const seconds = (performance.now() - at) / 1_000;
  const percent = ((cpuTicks(pid) - before) / TICKS_PER_SECOND / seconds) * 100;
  const [sent, sentDigest, received, receivedDigest] = await answer;
  await server;
  expect(Number(sent)).toBeGreaterThan(100_000);
  expect([received, receivedDigest]).toEqual([sent, sentDigest]);
  expect(sentDigest).toHaveLength(createHash('sha256').digest('hex').length);
  console.info(`sidecar while stalled: ${percent.toFixed(2)} % of a processor`);
  expect(percent).toBeLessThan(CPU_PERCENT);
});

/** User and system time so far, in ticks; proc(5). */
function cpuTicks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return Number(fields[11]) + Number(fields[12]);
}
