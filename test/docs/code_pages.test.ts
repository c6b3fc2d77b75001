/** Where commands say that a code is explained, there is a section about it. */
import { expect, test } from 'vitest';
import { CHECK_CODE_LIST } from '../../cli/check/index.ts';
import { docsPlace } from '../../common/docs_place.ts';
import { RULES } from '../../lint/index.ts';
import { readPage } from './markdown.ts';

test.each([
  ['check', CHECK_CODE_LIST],
  ['lint', RULES.map(({ code }) => code)],
] as const)('each code of %s has its section', (page, codes) => {
  for (const code of codes) {
    const [path = '', anchor] = docsPlace(page, code).split('#');
    expect(
      readPage(path)
        .text.split('\n')
        .map((line) => line.toLowerCase()),
    ).toContain(`## ${anchor}`);
  }
});
