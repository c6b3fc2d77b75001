import { expect, test } from 'vitest';
import { type ApiClient, listAll } from '../../../../injector/api/index.ts';

/** A server of which each page names the same next one. */
function repeating(next: string): Pick<ApiClient, 'chunks' | 'slice'> {
  const page = JSON.stringify({
    metadata: { resourceVersion: '1', continue: next },
    items: [{ metadata: { name: 'a', namespace: 'shop', uid: 'u', resourceVersion: '1' } }],
  });
  return {
    async *chunks() {
      yield Buffer.from(page);
    },
    slice: { isUsed: () => false, next: async () => {} },
  } as unknown as Pick<ApiClient, 'chunks' | 'slice'>;
}

test('a page that names itself as the next one ends the list with an error, not with the memory', async () => {
  const found: object[] = [];
  const sink = { add: (object: object) => found.push(object), restart: () => {} };
  const request = {
    client: repeating('same') as ApiClient,
    path: '/api/v1/pods',
    freshness: 'now',
    signal: AbortSignal.timeout(5_000),
  } as const;
  await expect(listAll(request, sink)).rejects.toThrow('/api/v1/pods: a page that leads to itself');
  expect(found).toHaveLength(2);
});
