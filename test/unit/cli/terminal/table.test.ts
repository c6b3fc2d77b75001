/** Tables on terminals of any width. */
import { expect, test } from 'vitest';
import { tableText } from '../../../../cli/terminal/index.ts';

const ROWS = [
  ['+ wider', 'shop/web -> shop/db', 'none -> TCP/5432', 'shop/db ingress[0]'],
  ['- narrower', 'a -> b', 'TCP/1 -> none', ''],
];

test('columns are aligned, and nothing is behind the last', () => {
  expect(tableText(ROWS, 200)).toBe(
    '+ wider     shop/web -> shop/db  none -> TCP/5432  shop/db ingress[0]\n' +
      '- narrower  a -> b               TCP/1 -> none\n',
  );
});

test('a row that does not fit goes on in the next line: nothing is cut', () => {
  expect(tableText(ROWS, 50)).toBe(
    '+ wider     shop/web -> shop/db  none -> TCP/5432\n      shop/db ingress[0]\n' +
      '- narrower  a -> b               TCP/1 -> none\n',
  );
  expect(tableText(ROWS, 10)).toBe(
    '+ wider\n      shop/web -> shop/db\n      none -> TCP/5432\n      shop/db ingress[0]\n' +
      '- narrower\n      a -> b\n      TCP/1 -> none\n',
  );
});
