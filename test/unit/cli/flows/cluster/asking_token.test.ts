/** The token that says who asks: made once, and made again when it has to be. */
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { AskingToken } from '../../../../../cli/flows/cluster/asking_token.ts';
import type { ApiClient } from '../../../../../injector/api/index.ts';
import { ApiFailure } from '../../../../../injector/api/index.ts';

const { signal } = new AbortController();

/** An API server that knows one user, and numbers the tokens that it makes; `refuse` says with which code it refuses the nth. */
class Server {
  readonly asked: unknown[] = [];
  readonly refuse = new Map<number, number>();
  userInfo: object = {
    username: 'alice',
    uid: 'u1',
    groups: ['a', 'b'],
    extra: { scopes: ['s=1'] },
    more: 1,
  };

  get client(): ApiClient {
    return { post: (path: string, sent: { body: unknown }) => this.#post(path, sent.body) } as never;
  }

  async #post(path: string, body: unknown): Promise<IncomingMessage> {
    if (path.endsWith('/selfsubjectreviews')) return answer({ status: { userInfo: this.userInfo } });
    expect(path).toBe('/api/v1/namespaces/sluice-system/serviceaccounts/sluice-flows/token');
    this.asked.push(body);
    const code = this.refuse.get(this.asked.length);
    if (code !== undefined) throw new ApiFailure(code, 'refused');
    return answer({ status: { token: `token ${this.asked.length}` } });
  }
}

function answer(value: unknown): IncomingMessage {
  return Readable.from([Buffer.from(JSON.stringify(value))]) as never;
}

test('all that the API server knows of the user is an audience', async () => {
  const server = new Server();
  expect(await new AskingToken(server.client, 'sluice-system').get(signal)).toBe('token 1');
  const audiences = ['sluice.dev/flows', 'user:alice', 'uid:u1', 'group:a', 'group:b', 'extra:scopes=s=1'];
  expect(server.asked).toEqual([{ spec: { audiences, expirationSeconds: 600 } }]);
});

test('a user of whom nothing but the name is known', async () => {
  const server = new Server();
  server.userInfo = { username: 'alice' };
  await new AskingToken(server.client, 'sluice-system').get(signal);
  expect(server.asked).toMatchObject([{ spec: { audiences: ['sluice.dev/flows', 'user:alice'] } }]);
});

test('one token is for all who ask, until the injector does not take it', async () => {
  const server = new Server();
  const token = new AskingToken(server.client, 'sluice-system');
  expect(await Promise.all([token.get(signal), token.get(signal)])).toEqual(['token 1', 'token 1']);
  token.forget();
  expect(await token.get(signal)).toBe('token 2');
});

test('credentials that change between the two questions are asked about once more, and other refusals are not', async () => {
  const server = new Server();
  const token = new AskingToken(server.client, 'sluice-system');
  server.refuse.set(1, 422);
  expect(await token.get(signal)).toBe('token 2');
  token.forget();
  server.refuse.set(3, 403);
  await expect(token.get(signal)).rejects.toMatchObject({ code: 403 });
  expect(server.asked).toHaveLength(3);
  expect(await token.get(signal)).toBe('token 4'); // a failure is not kept
});

test('an odd answer is refused', async () => {
  const client = { post: async () => answer({ status: {} }) } as never;
  await expect(new AskingToken(client, 'sluice-system').get(signal)).rejects.toMatchObject({
    code: 'FLOWS_UNREADABLE',
  });
});
