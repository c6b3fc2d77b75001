import { expect, test } from 'vitest';
import { benchHelp, readBenchOptions } from '../../../bench/options.ts';

const CHOICES = { figures: ['bulk', 'cut'], paths: ['direct', 'envoy'] };
const read = (...argv: string[]) => readBenchOptions(argv, CHOICES);

test('without flags everything is measured, and nothing written', () => {
  expect(read()).toEqual({ help: false, quick: false, docs: false });
});

test('figures and paths are given with commas, or again and again', () => {
  expect(read('--only', 'bulk,cut', '--paths', 'envoy', '--paths', ' direct')).toMatchObject({
    figures: ['bulk', 'cut'],
    paths: ['envoy', 'direct'],
  });
});

test.each([
  [['--only', 'bulks'], 'there is no bulks; there is bulk, cut'],
  [['--paths', 'direct,nginx'], 'there is no nginx; there is direct, envoy'],
  [['--only', ','], '--only is empty'],
  [['--rounds', '0'], "--rounds is '0': wants a whole number 1-99"],
  [['--rounds', '2.5'], "--rounds is '2.5'"],
  [['--sidecar', 'image'], "--sidecar is 'image': wants bundle or source"],
  [['--docs', '--quick'], '--docs wants a full run'],
  [['--docs', '--only', 'cut'], '--docs wants a full run'],
  [['--fast'], '--fast'],
  [['bulk'], 'bulk'],
])('%j is refused, and the message says what is wrong', (argv, said) => {
  expect(() => read(...argv)).toThrow(
    expect.objectContaining({ code: 'USAGE', message: expect.stringContaining(said) }),
  );
});

test('the help text names every figure and every path', () => {
  for (const name of [...CHOICES.figures, ...CHOICES.paths]) expect(benchHelp(CHOICES)).toContain(name);
});
