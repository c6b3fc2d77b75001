import { expect, test } from 'vitest';
import { parsePath, pathText } from '../../../common/path.ts';

test.each([
  ['direct', { usual: 'direct', ports: new Map() }],
  ['auto, 5432=proxy', { usual: 'auto', ports: new Map([[5432, 'proxy']]) }],
  [
    '8080=direct,53=auto',
    {
      usual: 'proxy',
      ports: new Map([
        [8080, 'direct'],
        [53, 'auto'],
      ]),
    },
  ],
])('%s is read', (text, choice) => expect(parsePath(text)).toEqual(choice));

test.each([
  ['', /'' is not one of proxy, direct, auto/],
  ['fast', /'fast' is not one of/],
  ['0=direct', /'0=direct' is not one of/],
  ['65536=direct', /port from 1 to 65535/],
  ['direct,proxy', /two usual paths/],
  ['80=direct,80=proxy', /port 80 twice/],
  [Array.from({ length: 16 }, (_, index) => `${index + 1}=direct`).join(','), /at most 15 ports/],
])('%s is refused with a reason', (text, reason) => expect(parsePath(text)).toMatch(reason));

test('a text without a usual path takes the one that is usual otherwise', () => {
  expect(parsePath('80=direct', 'auto')).toEqual({ usual: 'auto', ports: new Map([[80, 'direct']]) });
  expect(parsePath('proxy', 'auto')).toEqual({ usual: 'proxy', ports: new Map() });
});

test.each(['proxy', 'auto,5432=proxy', 'direct,80=proxy,443=auto'])('%s is written as it is read', (text) => {
  const choice = parsePath(text);
  expect(typeof choice === 'string' ? choice : pathText(choice)).toBe(text);
});
