import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { expect, test } from 'vitest';
import {
  asError,
  codeOf,
  codeOrMessageOf,
  errnoName,
  firstSentenceOf,
  messageOf,
  stackOf,
} from '../../../common/errno.ts';
import { SluiceError } from '../../../common/errors.ts';

function thrownBy(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new Error('it did not throw');
}

test('the message is that of an error, or the value as text', () => {
  expect(messageOf(new Error('why'))).toBe('why');
  expect(messageOf('why')).toBe('why');
  expect(messageOf(undefined)).toBe('undefined');
});

test('the first sentence stands alone', () => {
  expect(firstSentenceOf(new Error("Unknown option '-x'. To specify a positional …"))).toBe(
    "Unknown option '-x'",
  );
  expect(firstSentenceOf(new Error("Option '-x' argument is ambiguous.\nDid you …"))).toBe(
    "Option '-x' argument is ambiguous",
  );
  expect(firstSentenceOf(new Error('one.'))).toBe('one.');
});

test('the code of a failed system call is the name of its errno', () => {
  const error = thrownBy(() => readFileSync('/no/such/file'));
  expect(codeOf(error)).toBe('ENOENT');
  expect(codeOrMessageOf(error)).toBe('ENOENT');
});

test('our own errors have a code too', () => {
  expect(codeOf(new SluiceError('TOOL_MISSING', 'no ip'))).toBe('TOOL_MISSING');
});

test.each([
  [new Error('plain')],
  ['text'],
  [null],
  [undefined],
  [Object.assign(new Error('n'), { code: 404 })],
])('%s has no code', (error) => {
  expect(codeOf(error)).toBeUndefined();
  expect(codeOrMessageOf(error)).toBe(messageOf(error));
});

test('what is thrown becomes an error, and an error stays the same one', () => {
  const error = new TypeError('why');
  expect(asError(error)).toBe(error);
  expect(asError('why')).toEqual(new Error('why'));
});

test('a stack begins with the message', () => {
  expect(stackOf(new Error('why'))).toMatch(/^Error: why\n +at /);
  expect(stackOf('why')).toBe('why');
});

test('an error number has its name, with either sign', () => {
  expect(errnoName(-constants.errno.EPERM)).toBe('EPERM');
  expect(errnoName(constants.errno.ENOBUFS)).toBe('ENOBUFS');
});
