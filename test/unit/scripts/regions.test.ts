import { expect, test } from 'vitest';
import { fillRegions, markdownTable, regionNames } from '../../../scripts/docs/regions.ts';

const PAGE = 'before\n<!-- generated:codes -->\nold\ntext\n<!-- /generated -->\nafter\n';

test('a region gets its text and everything else stays', () => {
  const filled = fillRegions(PAGE, new Map([['codes', 'new']]));
  expect(filled).toBe('before\n<!-- generated:codes -->\nnew\n<!-- /generated -->\nafter\n');
  expect(fillRegions(filled, new Map([['codes', 'new']]))).toBe(filled);
  expect(regionNames(filled)).toEqual(['codes']);
});

test('a region that nothing makes is an error', () => {
  expect(() => fillRegions(PAGE, new Map())).toThrow("'codes'");
});

test('a region without an end is an error', () => {
  expect(() => fillRegions('<!-- generated:codes -->\n', new Map([['codes', 'new']]))).toThrow('has no');
});

test('pipes in table cells are escaped', () => {
  expect(markdownTable(['a'], [['x|y']])).toBe('| a |\n| --- |\n| x\\|y |');
});
