/** Answers that are not of the API's form: what was wrong is said, and nothing of them is believed. */
import { ApiException, V1Status } from '@kubernetes/client-node';
import { describe, expect, test } from 'vitest';
import { hasCause, whatFailed } from '../../../../injector/api/api_call.ts';
import { AnswerMalformed, failureOf } from '../../../../injector/api/api_failure.ts';
import { readRawObject } from '../../../../injector/api/raw_object.ts';
import { readCounts } from '../../../../injector/kubernetes/status/replica_counts.ts';

const METADATA = { name: 'web', namespace: 'shop', uid: 'u-1', resourceVersion: '7' };

describe('an object', () => {
  test('is taken with all that it has', () => {
    const pod = { metadata: { ...METADATA, labels: { app: 'web' } }, spec: {} };
    expect(readRawObject(pod)).toBe(pod);
  });

  test.each(['9223372036854775807', '-1'])(
    'is taken with the generation %s, which a client may have written',
    (generation) => {
      const pod: unknown = JSON.parse(
        `{"metadata":{"name":"web","uid":"u-1","resourceVersion":"7","generation":${generation}}}`,
      );
      expect(readRawObject(pod)).toBe(pod);
    },
  );

  test.each<[unknown, string]>([
    [null, 'an object must be an object, is null'],
    [{}, 'an object.metadata is missing'],
    [{ metadata: { ...METADATA, uid: 5 } }, 'an object.metadata.uid must be a string, is number'],
    [
      { metadata: { ...METADATA, namespace: {} } },
      'an object.metadata.namespace must be a string, is object',
    ],
    [
      { metadata: { ...METADATA, annotations: { 'sluice.dev/status': 1 } } },
      'an object.metadata.annotations["sluice.dev/status"] must be a string, is number',
    ],
    [{ metadata: { ...METADATA, generation: '3' } }, 'an object.metadata.generation must be a whole number'],
  ])('%j is refused', (value, message) => {
    expect(() => readRawObject(value)).toThrow(AnswerMalformed);
    expect(() => readRawObject(value)).toThrow(message);
    expect(() => readRawObject(value)).toThrow('is it the API server that answers');
  });
});

describe('a failure', () => {
  test('stands, with what can be read of its reason', () => {
    const body = { message: 'gone', code: 410, details: { retryAfterSeconds: 2, causes: null } };
    expect(failureOf(0, body)).toMatchObject({ code: 410, message: '410: gone', retryAfterMs: 2000 });
    expect(failureOf(503, undefined)).toMatchObject({
      code: 503,
      message: '503: the API server gave no reason',
    });
  });

  test.each<[unknown, string]>([
    [{ message: {} }, 'the Status.message must be a string, is object'],
    [{ details: { retryAfterSeconds: 'soon' } }, 'the Status.details.retryAfterSeconds must be a number'],
    ['<html>', 'the Status is not JSON'],
    [[], 'the Status must be an object, is a list'],
  ])('of the body %j says what is wrong with it', (body, message) => {
    expect(failureOf(500, body)).toMatchObject({ code: 500, retryAfterMs: undefined });
    expect(failureOf(500, body).message).toContain(`500: no reason that can be read: ${message}`);
    expect(whatFailed(new ApiException(500, '', body, {}))).toContain(message);
    expect(hasCause(new ApiException(500, '', body, {}), 'NamespaceTerminating')).toBe(false);
  });

  test("is read from the library's objects too", () => {
    const status = Object.assign(new V1Status(), {
      message: 'forbidden',
      reason: undefined,
      code: undefined,
      details: {
        causes: [{ reason: 'NamespaceTerminating', field: undefined }],
        retryAfterSeconds: undefined,
      },
    });
    const failed = new ApiException(403, '', status, {});
    expect(hasCause(failed, 'NamespaceTerminating')).toBe(true);
    expect(whatFailed(failed)).toBe('it answers 403: forbidden');
    expect(hasCause(new ApiException(403, '', JSON.stringify(status), {}), 'NamespaceTerminating')).toBe(
      true,
    );
  });
});

test.each([
  ['', 'the answer of a replica is not JSON'],
  ['[]', 'the answer of a replica must be an object, is a list'],
  ['{"enforcing":{}}', 'the answer of a replica.replica is missing'],
  [
    '{"replica":"b","enforcing":{"u/1":1.5}}',
    'the answer of a replica.enforcing["u/1"] must be a whole number',
  ],
])('counts of the form %j are refused', (answer, message) => {
  expect(() => readCounts(answer)).toThrow(message);
  expect(() => readCounts(answer)).toThrow('do all replicas run the same version of Sluice?');
});

test('counts of a newer replica may say more', () => {
  const counts = { replica: 'b', enforcing: { 'u/1': 2 }, selected: 3 };
  expect(readCounts(JSON.stringify(counts))).toEqual(counts);
});
