/** Who has changed an object, and when, by its metadata. */
import { expect, test } from 'vitest';
import { changeOrigin } from '../../../../injector/kubernetes/change_origin.ts';
import type { ClusterKind } from '../../../../policy/index.ts';

function origin(managedFields: unknown, more: object = {}, kind: ClusterKind = 'Pod') {
  const metadata = { name: 'x', uid: 'u', resourceVersion: '1', managedFields, ...more };
  return changeOrigin(kind, { metadata });
}

const entry = (manager: string, second: number, subresource?: string) => ({
  manager,
  time: `2026-11-30T10:00:0${second}Z`,
  ...(subresource === undefined ? {} : { subresource }),
});

test('the latest entry counts, wherever it stands', () => {
  const entries = [entry('a', 1), entry('b', 3), entry('c', 2, 'status')];
  expect(origin(entries, { generation: 7 })).toEqual({
    generation: 7,
    manager: 'b',
    at: '2026-11-30T10:00:03Z',
  });
  expect(origin([entry('a', 1), entry('kubelet', 2, 'status')])).toMatchObject({ manager: 'kubelet' });
});

test('of the same second the one about the object itself counts', () => {
  expect(origin([entry('a', 1), entry('kubelet', 1, 'status')])).toMatchObject({ manager: 'a' });
  expect(origin([entry('kubelet', 1, 'status'), entry('a', 1)])).toMatchObject({ manager: 'a' });
});

test.each<ClusterKind>(['NetworkPolicy', 'Namespace', 'EndpointSlice'])(
  'the status of a %s is not looked at',
  (kind) => {
    expect(origin([entry('a', 1), entry('b', 2, 'status')], {}, kind)).toMatchObject({ manager: 'a' });
  },
);

test.each<ClusterKind>(['Pod', 'Node', 'Service'])('the status of a %s is looked at', (kind) => {
  expect(origin([entry('a', 1), entry('b', 2, 'status')], {}, kind)).toMatchObject({ manager: 'b' });
});

test('what the injector itself writes on a policy does not count as its change', () => {
  const entries = [entry('kubectl', 1), entry('sluice-injector', 2)];
  expect(origin(entries, {}, 'NetworkPolicy')).toEqual({ manager: 'kubectl', at: entry('', 1).time });
});

test('what is missing or odd is passed over', () => {
  expect(origin(undefined)).toEqual({});
  expect(origin('odd')).toEqual({});
  const odd = [
    null,
    7,
    { manager: 5, time: 'now' },
    { manager: 'a', time: 'tomorrow' },
    { time: entry('a', 1).time },
  ];
  expect(origin(odd)).toEqual({});
});

test('of a hundred entries the first 64 are looked at, and a name is cut at 128 characters', () => {
  const many = Array.from({ length: 100 }, (_, at) => entry(`m${at}`, at < 64 ? 1 : 2));
  expect(origin(many)).toMatchObject({ manager: 'm63' });
  expect(origin([entry('x'.repeat(1_000), 1)]).manager).toHaveLength(128);
});
