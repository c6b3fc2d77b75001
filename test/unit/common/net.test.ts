import { expect, test } from 'vitest';
import { addressPortText, familyOf, isPort, MAX_PORT } from '../../../common/net.ts';

test.each([1, 80, MAX_PORT])('%d is a port', (number) => {
  expect(isPort(number)).toBe(true);
});

test.each([0, -1, 65_536, 80.5, Number.NaN, Number.POSITIVE_INFINITY])('%d is no port', (number) => {
  expect(isPort(number)).toBe(false);
});

test('an IPv6 address stands in brackets before its port', () => {
  expect(addressPortText({ address: '10.0.0.1', port: 80 })).toBe('10.0.0.1:80');
  expect(addressPortText({ address: 'fd00::1', port: 80 })).toBe('[fd00::1]:80');
});

test.each([
  ['10.0.0.1', 4],
  ['fd00::1', 6],
  ['::', 6],
])('%s is an address of IPv%d', (address, family) => {
  expect(familyOf(address)).toBe(family);
});
