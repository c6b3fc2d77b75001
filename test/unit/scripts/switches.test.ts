import { expect, test } from 'vitest';
import { openSwitches } from '../../../scripts/switches/open_switches.ts';

test('a switch without default is found by its line', () => {
  const text = `function f(kind: 'a' | 'b') {
  switch (kind) {
    case 'a':
      return 1;
    case 'b':
      return 2;
  }
}
`;
  expect(openSwitches(text)).toEqual([2]);
});

test('a switch with default is fine, and does not excuse the one around it', () => {
  const text = `  switch (one) {
    case 'a':
      switch (other) {
        case 'b':
          return 2;
        default:
          return unreachable(other);
      }
  }
`;
  expect(openSwitches(text)).toEqual([1]);
});
