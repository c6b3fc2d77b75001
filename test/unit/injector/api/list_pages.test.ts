import { expect, test } from 'vitest';
import { type ApiClient, listAll, MAX_PAGES } from '../../../../injector/api/index.ts';

/** A server whose pages name these as the next one, in turn and without end. */
function repeating(...next: readonly string[]): Pick<ApiClient, 'chunks' | 'slice'> {
  let asked = 0;
  return {
    async *chunks() {
      yield Buffer.from(
        JSON.stringify({
          metadata: { resourceVersion: '1', continue: next[asked % next.length] },
          items: [{ metadata: { name: 'a', namespace: 'shop', uid: 'u', resourceVersion: '1' } }],
        }),
      );
      asked += 1;
    },
    slice: { isUsed: () => false, next: async () => {} },
  } as unknown as Pick<ApiClient, 'chunks' | 'slice'>;
}

async function listed(client: object) {
  const found: object[] = [];
  const sink = { add: (object: object) => found.push(object), restart: () => {} };
  const request = {
    client: client as ApiClient,
    path: '/api/v1/pods',
    freshness: 'now',
    signal: new AbortController().signal,
  } as const;
  const error = await listAll(request, sink).catch((thrown: unknown) => thrown);
  return { error, objects: found.length };
}

test('a page that names itself as the next one ends the list with an error, not with the memory', async () => {
  const { error, objects } = await listed(repeating('same'));
  expect(error).toMatchObject({
    message: expect.stringContaining('/api/v1/pods: a page that leads to itself'),
  });
  expect(objects).toBe(2);
});

test('so do pages that name each other', async () => {
  const { error, objects } = await listed(repeating('a', 'b'));
  expect(error).toMatchObject({
    message: expect.stringContaining(`/api/v1/pods: a list of more than ${MAX_PAGES} pages`),
  });
  expect(objects).toBe(MAX_PAGES);
});
