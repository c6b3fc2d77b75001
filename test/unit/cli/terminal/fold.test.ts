import { describe, expect, test } from 'vitest';
import { COMMANDS } from '../../../../cli/commands.ts';
import { foldText } from '../../../../cli/terminal/index.ts';

test('a line goes on below the text that it belongs to', () => {
  expect(
    foldText('  -o, --output FORMAT      text (the default), json or yaml, as kubectl has them\n', 60),
  ).toBe(
    `  -o, --output FORMAT      text (the default), json or yaml,
                           as kubectl has them
`,
  );
  expect(foldText('  can  may one end connect to another, and why\n', 32)).toBe(
    '  can  may one end connect to\n       another, and why\n',
  );
  expect(foldText('one two three four five six seven\n', 20)).toBe('one two three four\nfive six seven\n');
});

test('what is beside too little room goes on at the left', () => {
  expect(foldText('  -o, --output FORMAT      text (the default) or json\n', 40)).toBe(
    '  -o, --output FORMAT\n    text (the default) or json\n',
  );
  expect(foldText(`${' '.repeat(27)}shell glob after A and B, such as *.yaml\n`, 40)).toBe(
    '    shell glob after A and B, such as\n    *.yaml\n',
  );
});

test('a paragraph and an explanation of several lines are folded as one', () => {
  const flag = `  -f, --file PATH          manifests, YAML or JSON
                           files or folders
      --all                also others
`;
  expect(foldText(flag, 48)).toBe(`  -f, --file PATH
    manifests, YAML or JSON files or folders
      --all                also others
`);
  expect(foldText('one two three four five\nsix seven\n\nlist:\n  - a b\n  - c d\n', 20)).toBe(
    'one two three four\nfive six seven\n\nlist:\n  - a b\n  - c d\n',
  );
});

test('in a pipe nothing is folded', () => {
  const long = `${'word '.repeat(100)}\n`;
  expect(foldText(long)).toBe(long);
});

describe.each(COMMANDS)('the help of $name', ({ load }) => {
  test.each([40, 60, 80, 100])('fits in %d columns, and loses no word', async (width) => {
    const { shape } = await load();
    const helps = [shape, ...(shape?.commands ?? []).map(({ run }) => run.shape)].map(
      (one) => one?.help ?? '',
    );
    for (const help of helps) {
      const folded = foldText(help, width);
      expect(folded.split(/\s+/)).toEqual(help.split(/\s+/));
      for (const line of folded.split('\n'))
        if (line.trim().includes(' ')) expect(line.length, line).toBeLessThanOrEqual(width);
    }
  });
});
