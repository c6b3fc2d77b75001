/** What the load generators print, read. The texts are theirs. */
import { expect, test } from 'vitest';
import { readConnections } from '../../../bench/load/ab.ts';
import { isBusy, packetClient, readBulk, readSeconds } from '../../../bench/load/iperf3.ts';
import { readRoundTrip } from '../../../bench/load/sockperf.ts';
import { readRequests } from '../../../bench/load/wrk.ts';

const AB = `
Time taken for tests:   1.000 seconds
Complete requests:      2481
Failed requests:        0
Requests per second:    2480.90 [#/sec] (mean)
Time per request:       3.225 [ms] (mean)
Time per request:       0.403 [ms] (mean, across all concurrent requests)
`;
const AB_CSV = 'Percentage served,Time in ms\n0,0.412\n50,3.100\n98,8.100\n99,35.012\n100,40.000\n';

test('ab: rate, p50 and p99 of a request with its connection', () => {
  expect(readConnections(AB, AB_CSV)).toEqual({
    requests: 2481,
    perSecond: 2480.9,
    p50Ms: 3.1,
    p99Ms: 35.012,
  });
});

test('ab: failed requests are an error, not a figure', () => {
  const output = AB.replace('Failed requests:        0', 'Failed requests:        12');
  expect(() => readConnections(output, AB_CSV)).toThrow('12 requests failed');
});

test('iperf3: what was received', () => {
  const output = JSON.stringify({ end: { sum_received: { bytes: 1000, bits_per_second: 4e9 } } });
  expect(readBulk(output)).toEqual({ bitsPerSecond: 4e9, bits: 8000 });
});

test('iperf3: a server that is busy with the last run is to be asked again', () => {
  expect(readBulk(JSON.stringify({ error: 'the server is busy running a test. try again later' }))).toBe(
    undefined,
  );
});

test('iperf3: small packets are datagrams of that size, or segments', () => {
  const load = (protocol: 'udp' | 'tcp') => packetClient('10.0.0.1', { protocol, seconds: 2 }).join(' ');
  expect(load('udp')).toContain('--udp --bitrate 0 --length 128');
  expect(load('tcp')).toContain('--set-mss 128');
});

test('iperf3: for how long it has sent', () => {
  const output = JSON.stringify({ end: { sum_sent: { seconds: 2.01 }, sum_received: { seconds: 2.05 } } });
  expect(readSeconds(output)).toBe(2.01);
  expect(() => readSeconds('{"error": "the server is busy running a test. try again later"}')).toThrow(
    'busy',
  );
  expect(isBusy('{"error": "the server is busy running a test. try again later"}')).toBe(true);
  expect(isBusy(output)).toBe(false);
});

test('iperf3: any other error is reported', () => {
  expect(() => readBulk(JSON.stringify({ error: 'unable to connect to server' }))).toThrow(
    'unable to connect to server',
  );
});

test('sockperf: percentiles of the whole round trip', () => {
  const output = `
sockperf: ---> <MAX> observation = 5000.100
sockperf: ---> percentile 99.999 = 4000.000
sockperf: ---> percentile 99.990 = 3000.000
sockperf: ---> percentile 99.900 =  530.125
sockperf: ---> percentile 99.000 =  194.250
sockperf: ---> percentile 90.000 =  120.000
sockperf: ---> percentile 50.000 =  109.500
`;
  expect(readRoundTrip(output)).toEqual({ p50: 109.5, p99: 194.25, p999: 530.125 });
});

const WRK = `
  Latency Distribution
     50%  600.00us
     75%    1.10ms
     90%    2.50ms
     99%    7.44ms
  24400 requests in 1.00s, 10.00MB read
Requests/sec:  24400.12
Transfer/sec:     10.00MB
`;

test.each([
  ['7.44ms', 7.44],
  ['744.00us', 0.744],
  ['1.50s', 1500],
])('wrk: a p99 of %s is %d ms', (text, p99Ms) => {
  expect(readRequests(WRK.replace('7.44ms', text))).toEqual({ perSecond: 24400.12, p99Ms });
});

test.each(['Socket errors: connect 0, read 3, write 0, timeout 0', 'Non-2xx or 3xx responses: 17'])(
  'wrk: "%s" is an error, not a figure',
  (line) => {
    expect(() => readRequests(`${WRK}  ${line}\n`)).toThrow(line);
  },
);

test('a tool of another version, that prints something else, is an error that shows what it printed', () => {
  expect(() => readRoundTrip('Summary: Latency is 54.7 usec')).toThrow('Latency is 54.7 usec');
});
