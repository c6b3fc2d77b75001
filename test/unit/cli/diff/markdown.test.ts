/** A comment on a pull request stays one, however much there is to be said. */
import { expect, test } from 'vitest';
import { markdownText } from '../../../../cli/diff/report_markdown.ts';

test('notes are as many as fit', () => {
  const text = markdownText({
    before: 'a',
    after: 'b',
    comparison: {
      changes: [],
      counts: { wider: 0, changed: 0, narrower: 0 },
      unchanged: 0,
      leftOut: 0,
    },
    rows: [],
    reasonsOf: () => [],
    notes: Array.from({ length: 1_000 }, (_, at) => `${at} ${'x'.repeat(300)}`),
  });
  expect(text.length).toBeLessThan(65_536);
  expect(text).toContain('990 more notes are left out');
});
