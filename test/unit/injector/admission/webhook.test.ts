/** The webhook as an API server calls it: TLS verified with the CA bundle, reinvoked, fail closed. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { issueCa } from '../../../../injector/certificates/issue.ts';
import { pod, type TestContainer } from '../../../builders/admitted_pods.ts';
import { SERVER_NAME, validNow } from '../test_credentials.ts';
import { waitFor } from '../wait_for.ts';
import { RunningWebhook } from './running_webhook.ts';

let webhook: RunningWebhook;

beforeEach(async () => {
  webhook = new RunningWebhook();
});
afterEach(() => webhook.close());

const ACCOUNT_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount';

const mountsOf = (containers: readonly TestContainer[] = []) =>
  containers.flatMap(({ volumeMounts = [] }) =>
    (volumeMounts as { mountPath: string }[]).map((mount) => mount.mountPath),
  );

const review = (changes: object = {}) =>
  JSON.stringify({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: { uid: 'u1', namespace: 'shop', operation: 'CREATE', object: pod(), ...changes },
  });

/** In a thread of its own, over one connection. */
const ASK_TWICE = `
  const { request, Agent } = require('node:https');
  const { parentPort, workerData } = require('node:worker_threads');
  const { port, servername, ca, body } = workerData;
  const agent = new Agent({ servername, ca, keepAlive: true, maxSockets: 1 });
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  const ask = () =>
    new Promise((resolve) => {
      const asked = request({ host: '127.0.0.1', port, path: '/inject', method: 'POST', agent, headers });
      asked.on('response', (response) => response.resume().on('end', () => resolve(response.statusCode)));
      asked.on('error', ({ message }) => resolve(message));
      asked.end(body);
    });
  ask().then(async (first) => parentPort.postMessage([first, await ask()]));
`;

describe('a pod that is created', () => {
  beforeEach(() => webhook.start());

  test('comes out injected once, though the webhook is called twice', async () => {
    await webhook.namespace('shop');

    const { spec } = await webhook.create('shop', pod());

    expect(spec.initContainers?.map(({ name }) => name)).toEqual(['sluice-sidecar']);
    // Between the two calls the API server mounts the account's token in what is new. The sidecar has no use for it.
    expect(await webhook.admissions('injected')).toBe(2);
    expect(mountsOf(spec.initContainers)).not.toContain(ACCOUNT_TOKEN);
    expect(mountsOf(spec.containers)).toContain(ACCOUNT_TOKEN);
  });

  test('that mounts no token of its account is the same to the second call', async () => {
    await webhook.namespace('shop');
    const quiet = pod({ automountServiceAccountToken: false });
    const once = await webhook.create('shop', quiet);
    await webhook.create('shop', {
      ...once,
      metadata: { name: 'again', annotations: once.metadata.annotations ?? {} },
    });
    expect(await webhook.admissions('injected')).toBe(1);
    expect(await webhook.admissions('unchanged')).toBe(1);
  });

  test('is refused with every reason in the words of kubectl', async () => {
    await webhook.namespace('shop');
    const bad = pod(
      { containers: [{ name: 'a', securityContext: { privileged: true } }] },
      { 'sluice.dev/deny': 'x' },
    );

    await expect(webhook.create('shop', bad)).rejects.toThrow(
      /^admission webhook "pods.sluice.dev" denied the request: pod shop\/api-1-\w*: .*sluice.dev\/deny is 'x'.*container a is privileged/,
    );
    expect(await webhook.admissions('refused')).toBe(1);
    expect(webhook.lines).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        msg: 'pod not injected',
        namespace: 'shop',
        outcome: 'refused',
      }),
    );
  });

  test('may be what its namespace allows, and no other one', async () => {
    await webhook.namespace('lenient', { 'sluice.dev/allow-opt-out': 'true' });
    await webhook.namespace('shop');
    const leftOut = pod({}, { 'sluice.dev/inject': 'disabled' });

    expect((await webhook.create('lenient', leftOut)).spec.initContainers).toBeUndefined();
    await expect(webhook.create('shop', leftOut)).rejects.toThrow(/does not allow/);
    expect(await webhook.admissions('opted-out')).toBe(1);
  });

  test('is left alone on the host network, where its namespace allows it', async () => {
    await webhook.namespace('shop', { 'sluice.dev/allow-privileged': 'true' });

    expect((await webhook.create('shop', pod({ hostNetwork: true }))).spec.initContainers).toBeUndefined();
    expect(await webhook.admissions('skipped')).toBe(1);
  });

  test('is refused while sidecars would not find the injector', async () => {
    await webhook.namespace('shop');
    webhook.config = undefined;

    await expect(webhook.create('shop', pod())).rejects.toThrow(/Service has no address yet/);
  });

  test('finds the CA in its namespace, which a rehearsal does not touch', async () => {
    await webhook.namespace('shop');
    await webhook.create('shop', pod(), { dryRun: true });
    expect(webhook.prepared).toEqual([]);

    await webhook.create('shop', pod());
    expect(new Set(webhook.prepared)).toEqual(new Set(['shop']));
  });

  test('leaves nothing in a namespace without the label, for any caller that asks for it', async () => {
    await webhook.namespace('shop');
    await webhook.forbid('shop');
    expect((await webhook.ask({ body: review() })).code).toBe(200);
    expect(webhook.prepared).toEqual([]);

    // Nor under a name that may be made up. One that is enabled gets the CA once the injector knows of it.
    expect((await webhook.ask({ body: review({ namespace: 'new' }) })).code).toBe(200);
    expect(webhook.prepared).toEqual([]);
  });

  test('is refused when its namespace cannot be given the CA', async () => {
    await webhook.namespace('shop');
    webhook.unprepared = new Error('configmaps "sluice-ca" is forbidden');

    await expect(webhook.create('shop', pod())).rejects.toThrow(/cannot be given the CA: .* is forbidden/);
  });

  test('follows a permission of its namespace that is taken back', async () => {
    await webhook.namespace('shop', { 'sluice.dev/allow-privileged': 'true' });
    const mighty = pod({ containers: [{ name: 'a', securityContext: { privileged: true } }] });
    await webhook.create('shop', mighty);

    await webhook.forbid('shop');
    await expect(webhook.create('shop', mighty)).rejects.toThrow(/privileged/);
  });
});

describe('the certificate', () => {
  beforeEach(() => webhook.start());

  test('is the one of the moment, without a restart', async () => {
    await webhook.namespace('shop');
    await webhook.certificate.replace({ ca: await issueCa(validNow()) });

    await expect(webhook.create('shop', pod())).rejects.toThrow(/failed calling webhook/);
    await webhook.trust();
    await webhook.create('shop', pod());
  });

  test('is not shown to a TLS older than 1.3', async () => {
    await expect(webhook.ask({ maxVersion: 'TLSv1.2' })).rejects.toThrow(/version|alert|EPROTO/);
  });
});

describe('a request that is none of an API server', () => {
  beforeEach(() => webhook.start({ maxBodyBytes: 10_000 }));

  test.each([
    ['another path', { path: '/metrics' }, 404, 'the webhook is at /inject'],
    ['another method', { method: 'PUT' }, 405, 'POST'],
    ['another type', { type: 'text/plain' }, 415, 'application/json'],
    ['no JSON', { body: '{' }, 400, 'no JSON'],
    ['no review', { body: '{}' }, 400, 'apiVersion: Required value'],
    ['an old review', { body: review().replace('/v1', '/v1beta1') }, 400, 'admission.k8s.io/v1'],
    ['no uid', { body: review({ uid: '' }) }, 400, 'request.uid: Required value'],
    ['no namespace', { body: review({ namespace: undefined }) }, 400, 'request.namespace: Required value'],
    ['a deletion', { body: review({ operation: 'DELETE' }) }, 400, 'request.operation'],
    [
      'no pod',
      { body: review({ resource: { group: 'apps', resource: 'deployments' } }) },
      400,
      'request.resource',
    ],
    ['too much', { body: ' '.repeat(10_001) }, 413, 'larger than 10000 bytes'],
    ['the word of too much', { body: '', length: 10_001 }, 413, 'larger than 10000 bytes'],
  ])('gets an answer that says what is wrong: %s', async (_, asked, code, message) => {
    const answer = await webhook.ask(asked);

    expect(answer).toEqual({ code, body: expect.stringContaining(message) });
    expect(await webhook.admissions('error')).toBe(1);
  });

  test('is no reason to stop', async () => {
    await webhook.ask({ body: '[' });

    const { code, body } = await webhook.ask({ body: review() });
    expect(code).toBe(200);
    expect(JSON.parse(body)).toMatchObject({
      response: { uid: 'u1', allowed: true, patchType: 'JSONPatch' },
    });
  });

  test('gets a broken pod refused by the names of its fields', async () => {
    const { body } = await webhook.ask({ body: review({ object: { spec: { containers: 1 } } }) });

    expect(JSON.parse(body)).toMatchObject({
      response: {
        uid: 'u1',
        allowed: false,
        status: { code: 422, message: expect.stringContaining('spec.containers') },
      },
    });
  });
});

describe('bounds', () => {
  test('a body that is larger than it may be is refused, whether its length was said or not', async () => {
    await webhook.start({ maxBodyBytes: 100_000 });
    expect((await webhook.ask({ body: ' '.repeat(100_001) })).code).toBe(413);

    const socket = webhook.connect();
    const answered = once(socket, 'data');
    const head = 'content-type: application/json\r\ntransfer-encoding: chunked';
    socket.write(`POST /inject HTTP/1.1\r\nhost: x\r\n${head}\r\n\r\n`);
    for (let count = 0; count < 10; count += 1) socket.write(`4000\r\n${' '.repeat(0x4000)}\r\n`);
    expect(`${(await answered)[0]}`).toMatch(/^HTTP\/1\.1 413 /);
    await waitFor(() => socket.closed);
  });

  test('a client that goes in the middle of its request does no harm', async () => {
    await webhook.start();
    const socket = webhook.connect();
    const head = 'content-type: application/json\r\ncontent-length: 100';
    socket.write(`POST /inject HTTP/1.1\r\nhost: x\r\n${head}\r\nexpect: 100-continue\r\n\r\n{`);
    await once(socket, 'data');
    socket.destroy();
    await waitFor(() => webhook.lines.some(({ msg }) => msg === 'admission request refused'));
    expect((await webhook.ask({ body: review() })).code).toBe(200);
  });

  test('a request that does not end is cut', async () => {
    await webhook.start({ requestTimeoutMs: 1_000 });

    await expect(webhook.ask({ body: '{', length: 100 })).resolves.toMatchObject({ code: 408 });
  });

  test('connections of one address do not keep API servers at another one out', async () => {
    await webhook.start();
    await webhook.namespace('shop');
    const held = Array.from({ length: 256 }, () =>
      connect({ port: webhook.port, host: '127.0.0.1', localAddress: '127.0.0.9' }),
    );
    let refused = 0;
    for (const socket of held) {
      socket.on('error', () => {});
      socket.once('close', () => {
        refused += 1;
      });
    }
    await waitFor(() => refused === held.length - 128); // the older ones made room

    const { spec } = await webhook.create('shop', pod());
    expect(spec.initContainers).toHaveLength(1);
    expect(refused).toBe(held.length - 128);
    for (const socket of held) socket.destroy();
  });

  test('of more requests at once than it takes, the others are asked to come again', async () => {
    await webhook.start({ maxRequests: 1, requestTimeoutMs: 3_000 });
    await webhook.namespace('shop');
    const { promise, resolve } = Promise.withResolvers<void>();
    webhook.preparing = promise;
    const held = webhook.ask({ body: review() });

    const { code } = await webhook.until(429);
    expect(code).toBe(429);
    resolve();
    expect((await held).code).toBe(200);
  });

  test('an API server that is asked for a hundred pods at once gets an answer to each', async () => {
    await webhook.start();
    await webhook.namespace('shop');
    const asked = Array.from({ length: 100 }, () => webhook.ask({ body: review() }));
    for (const { code } of await Promise.all(asked)) expect(code).toBe(200);
  });

  test('silent connections of many addresses keep no API server out', async () => {
    await webhook.start();
    await webhook.namespace('shop');
    const held = Array.from({ length: 12 * 64 }, (_, index) =>
      connect({ port: webhook.port, host: '127.0.0.1', localAddress: `127.0.3.${1 + (index % 12)}` }),
    );
    let cut = 0;
    for (const socket of held) {
      socket.on('error', () => {});
      socket.once('close', () => {
        cut += 1;
      });
    }
    await waitFor(() => cut >= held.length - 512);

    for (let round = 0; round < 3; round += 1) {
      const { spec } = await webhook.create('shop', pod());
      expect(spec.initContainers).toHaveLength(1);
    }
    for (const socket of held) socket.destroy();
  });

  test('requests of others that do not go on make room', async () => {
    await webhook.start({ maxRequests: 4, requestTimeoutMs: 60_000 });
    const others = Array.from({ length: 4 }, () => webhook.connect('127.0.0.9'));
    const head =
      'POST /inject HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n';
    for (const socket of others) socket.write(`${head}expect: 100-continue\r\n\r\n{`);
    await Promise.all(others.map((socket) => once(socket, 'data'))); // each has a seat

    expect((await webhook.ask({ body: review() })).code).toBe(200);
    await waitFor(() => others.some((socket) => socket.closed));
    expect(others.filter((socket) => socket.closed)).toHaveLength(1);
    for (const socket of others) socket.destroy();
  });

  test('who asks again before the answer is cut', async () => {
    await webhook.start();
    const socket = webhook.connect();
    const one = `POST /inject HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}`;
    socket.write(one.repeat(50));
    await waitFor(() => socket.closed);
    expect(await webhook.admissions('error')).toBeLessThan(50);
    expect((await webhook.ask({ body: review() })).code).toBe(200);
  });

  test('answers that nobody reads make room', async () => {
    await webhook.start({ maxRequests: 1 });
    const socket = webhook.connect('127.0.0.9').pause();
    const body = review({ uid: 'u'.repeat(500_000) });
    const head = `content-type: application/json\r\ncontent-length: ${body.length}`;
    const sent = `POST /inject HTTP/1.1\r\nhost: x\r\n${head}\r\n\r\n${body}`;
    // Until the kernel takes no more: then the answer stays here, and its request is under way.
    for (let turn = 0; turn < 15; turn += 1) {
      socket.write(sent);
      await delay(100);
      expect((await webhook.ask({ body: review() })).code).toBe(200);
    }
    socket.destroy();
  });

  test('a body in many small pieces is not read on', async () => {
    await webhook.start();
    const socket = webhook.connect();
    await once(socket, 'secureConnect');
    let answer = '';
    socket.setNoDelay().on('data', (chunk) => {
      answer += chunk;
    });
    const head = 'content-type: application/json\r\ncontent-length: 2000';
    socket.write(`POST /inject HTTP/1.1\r\nhost: x\r\n${head}\r\n\r\n`);
    for (let count = 0; count < 1_000 && !socket.closed; count += 1) {
      socket.write('{');
      await new Promise((resolve) => setImmediate(resolve));
    }
    await waitFor(() => socket.closed);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  });

  test('what strangers write is cut short in the log', async () => {
    await webhook.start();
    const long = 'x'.repeat(1_000_000);
    await webhook.ask({ body: review({ namespace: long, uid: long, name: long }) });
    await webhook.ask({ body: JSON.stringify({ apiVersion: long }) });
    await webhook.ask({ path: `/${long.slice(0, 10_000)}` });
    expect(webhook.lines.length).toBeGreaterThanOrEqual(3);
    for (const each of webhook.lines) expect(JSON.stringify(each).length).toBeLessThan(10_000);
  });

  test('who asks again as soon as it has the answer gets another, however busy the injector is', async () => {
    await webhook.start();
    const config = webhook.config;
    const beBusy = () => {
      const endMs = performance.now() + 200;
      while (performance.now() < endMs);
    };
    // Not until what is asked for has been written, and before anything else is done.
    const get = () => {
      process.nextTick(beBusy);
      return config;
    };
    Object.defineProperty(webhook, 'config', { get });
    const { port, certificate } = webhook;
    const workerData = { port, servername: SERVER_NAME, ca: certificate.ca.cert, body: review() };
    const worker = new Worker(ASK_TWICE, { eval: true, workerData });
    const [answers] = await once(worker, 'message');
    await worker.terminate();
    expect(answers).toEqual([200, 200]);
  });

  test('JSON of more small values than any pod has is not parsed', async () => {
    await webhook.start();
    const many = `{"a":[${'{},'.repeat(60_000)}{}],"text":"${'[,{'.repeat(1_000)}"}`;
    expect(await webhook.ask({ body: many })).toMatchObject({
      code: 413,
      body: expect.stringContaining('more than 100000 values'),
    });
    // In a text they are no values.
    const long = JSON.stringify({ text: '[{,"\\'.repeat(100_000) });
    expect(await webhook.ask({ body: long })).toMatchObject({ code: 400 });
  });

  test('the key exchange holds against quantum computers', async () => {
    await webhook.start();
    const socket = webhook.connect();
    await waitFor(() => socket.authorized);
    expect(socket.getEphemeralKeyInfo()).toMatchObject({ name: 'X25519MLKEM768' });
    socket.destroy();
  });
});
