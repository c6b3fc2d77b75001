/** Answers of nft(8) and ip(8) in another form: the error names what was asked and shows what came. */
import { expect, test } from 'vitest';
import { LINK, listOf, parsed, recordOf, textOf } from '../../../sidecar/guard/tool_answer.ts';

const WHAT = 'ip route get 10.0.0.1';

test.each<[unknown, () => unknown]>([
  ['{"dev":', () => parsed('{"dev":', WHAT)],
  [[], () => recordOf([], WHAT)],
  [null, () => recordOf(null, WHAT)],
  [{}, () => listOf({}, WHAT)],
  ['', () => textOf('', WHAT)],
  [7, () => textOf(7, WHAT)],
  ['not a link', () => textOf('not a link', WHAT, LINK)],
])('%j is refused', (value, read) => {
  expect(read).toThrow(
    expect.objectContaining({
      code: 'TOOL_ANSWER_UNKNOWN',
      message: `${WHAT}: ${JSON.stringify(value)} is in no form that is known`,
    }),
  );
});
