import { expect, test } from 'vitest';
import { SynCookies } from '../../../../sidecar/kernel/syn_cookies.ts';

const MINUTES = 60_000;

const counters = (sent: number) =>
  `TcpExt: SyncookiesRecv SyncookiesSent TWKilled\nTcpExt: 7 ${sent} 9\nIpExt: InNoRoutes\nIpExt: 0\n`;

test('cookies may be valid from when one was sent until none was for two minutes', () => {
  let sent = 0;
  const cookies = new SynCookies(() => counters(sent));
  expect(cookies.mayBeValid(0)).toBe(false);
  sent = 1;
  expect(cookies.mayBeValid(9 * MINUTES)).toBe(true);
  expect(cookies.mayBeValid(11 * MINUTES)).toBe(true);
  expect(cookies.mayBeValid(12 * MINUTES)).toBe(false);
  sent = 5;
  expect(cookies.mayBeValid(13 * MINUTES)).toBe(true);
});

test('where it cannot be known they may be', () => {
  expect(new SynCookies(() => 'TcpExt: Other\nTcpExt: 1\n').mayBeValid(0)).toBe(true);
  const unreadable = () => {
    throw new Error('ENOENT');
  };
  expect(new SynCookies(unreadable).mayBeValid(0)).toBe(true);
  expect(new SynCookies(() => counters(3)).mayBeValid(0)).toBe(true);
});
