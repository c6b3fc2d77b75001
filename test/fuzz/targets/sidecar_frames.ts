/**
 * Frames of a sidecar, valid and broken, cut anywhere, into the injector's real login and table server: nobody but the pod of
 * a checked token gets a table, only its own, and the answers are well-formed frames.
 */
import { setImmediate } from 'node:timers/promises';
import { pino } from 'pino';
import { podAt } from '../../../bench/control_plane/cluster.ts';
import { MemorySource } from '../../../bench/control_plane/memory_source.ts';
import { unpack } from '../../../common/pack.ts';
import { createInjectorMetrics } from '../../../injector/metrics.ts';
import { FrameConnection } from '../../../injector/tables/frame_connection.ts';
import { Login } from '../../../injector/tables/login.ts';
import { ReadingTurns } from '../../../injector/tables/reading_turns.ts';
import { TableServer } from '../../../injector/tables/table_server.ts';
import type { TokenAuthenticator } from '../../../injector/tokens/authenticator.ts';
import {
  flowsLine,
  type InjectorFrame,
  type InjectorFrameV1,
  type NetworkPolicy,
  objectKey,
  readInjectorFrame,
  readInjectorFrameV1,
  SCHEMA_1,
  TABLE_SCHEMA,
} from '../../../policy/index.ts';
import { MemorySocket } from '../memory_socket.ts';
import { mutated, mutatedText } from '../mutation.ts';
import type { Random } from '../random.ts';
import { type Counts, Finding, type FuzzTarget, type OpenTarget } from '../target.ts';

/** Pods, and how many lines a connection sends. */
const PODS = 3;
const LINES = 8;

/** Longer than any frame of a sidecar may be, bytes. */
const OVERSIZED = 70_000;

const NEVER_MS = 2 ** 30;

/** A pod's token: what no mutation makes by chance. */
const tokenOf = (place: number) => `token-of-${podAt(0, place, 0, 0).name}`;

function helloOf(place: number, schema: number): object {
  return { type: 'token-hello', schema, token: tokenOf(place) };
}

/** The fuzzer. */
export const sidecarFramesTarget: FuzzTarget = {
  name: 'sidecar-frames',
  about: "a sidecar's frames to the injector: only the pod of a checked token gets its table",
  open: () => new InjectorUnderTest(),
};

const authenticator: TokenAuthenticator = {
  authenticate: async (token) => {
    const place = Array.from({ length: PODS }, (_, index) => index).find((index) => tokenOf(index) === token);
    if (place === undefined) return { verdict: 'refused', message: 'not a token' };
    const { namespace, name, uid } = podAt(0, place, 0, 0);
    return { verdict: 'pod', pod: { namespace, name, uid } };
  },
};

class InjectorUnderTest implements OpenTarget {
  readonly #log = pino({ level: 'silent' });
  readonly #turns = new ReadingTurns();
  readonly #tables: TableServer;

  constructor() {
    const source = new MemorySource();
    for (let place = 0; place < PODS; place += 1) {
      const object = podAt(0, place, 0, 0);
      source.change({ kind: 'Pod', key: objectKey(object.namespace, object.name), object });
    }
    const { namespace } = podAt(0, 0, 0, 0);
    const object: NetworkPolicy = {
      namespace,
      name: 'own',
      podSelector: { matchLabels: {}, matchExpressions: [] },
      policyTypes: ['ingress'],
      ingress: [{ peers: [{ kind: 'pods' }], ports: [] }],
      egress: [],
    };
    source.change({ kind: 'NetworkPolicy', key: objectKey(namespace, 'own'), object });
    this.#tables = new TableServer(source, createInjectorMetrics(), this.#log, {
      largeGroup: PODS - 1,
      heartbeatMs: NEVER_MS,
    });
  }

  async tryCase(random: Random, counts: Counts): Promise<void> {
    const socket = new MemorySocket();
    const connection = new FrameConnection(socket.asSocket, this.#log, this.#turns);
    const place = { settle: () => {}, leave: () => {} };
    const parts = { tables: this.#tables, authenticator, log: this.#log, helloTimeoutMs: NEVER_MS, place };
    connection.readFirst(new Login(connection, parts));
    const lines = Array.from({ length: LINES }, () => lineOf(random));
    if (random.chance(50))
      lines.unshift(
        JSON.stringify({
          ...helloOf(random.below(PODS), schemaOf(random)),
          ...(random.chance(30) ? { holds: true } : {}),
          ...(random.chance(30) ? { path: random.pick(['direct', 'mixed', 'auto']) } : {}),
        }),
      );
    counts.inputs += lines.length;
    try {
      for (const [at, line] of lines.entries()) {
        const bytes = Buffer.from(`${line}\n`);
        const cut = random.below(bytes.length);
        socket.arrive(bytes.subarray(0, cut));
        socket.arrive(bytes.subarray(cut));
        // After the first line a login may come through.
        if (at === 0 || random.chance(40)) await setImmediate();
      }
      await setImmediate();
      await setImmediate();
      check(socket.written, lines, counts);
    } catch (error) {
      throw error instanceof Finding ? error : new Finding(`threw ${(error as Error).stack}`, lines);
    } finally {
      socket.destroy();
    }
  }

  close(): void {
    this.#tables.close();
  }
}

function schemaOf(random: Random): number {
  return random.pick([SCHEMA_1, TABLE_SCHEMA]);
}

function lineOf(random: Random): string {
  if (random.chance(10))
    return flowsLine(random.below(100), 'x'.repeat(random.pick([0, 10, 3_000, 300_000])));
  const frame = validFrame(random);
  if (random.chance(40)) return JSON.stringify(frame);
  if (random.chance(5)) return 'x'.repeat(OVERSIZED);
  return random.chance(40)
    ? mutatedText(random, JSON.stringify(frame))
    : JSON.stringify(mutated(random, frame, { keys: ['type', 'token', 'pod'] }));
}

function validFrame(random: Random): object {
  const { namespace, name } = podAt(0, random.below(PODS), 0, 0);
  return random.pick<() => object>([
    () => helloOf(random.below(PODS), schemaOf(random)),
    () => ({ ...helloOf(random.below(PODS), TABLE_SCHEMA), holds: true }),
    () => ({ type: 'want', parts: random.pick([[], [0], [0, 0, 1, 2], [9, Number.MAX_SAFE_INTEGER]]) }),
    () => ({ type: 'hello', schema: schemaOf(random), namespace, pod: name }),
    () => ({ type: 'ack', revision: random.pick([0, 1, Date.now(), Number.MAX_SAFE_INTEGER]) }),
    () => ({ type: 'nack', revision: 1, code: 'TABLE_GAP', message: 'gap' }),
    () => ({ type: 'identify', address: '10.0.0.1' }),
    () => ({ type: 'meet', addresses: random.pick([[], ['10.0.0.1'], ['10.0.0.1', '10.0.0.1', '::1']]) }),
    () => ({ ...helloOf(random.below(PODS), TABLE_SCHEMA), partial: true }),
  ])();
}

/** What the injector said to these lines. */
function check(written: string, lines: readonly string[], counts: Counts): void {
  const served = new Set<string>();
  for (const line of written.split('\n').slice(0, -1)) {
    const frame = frameOf(line);
    counts.add(frame.type);
    if (frame.type === 'snapshot') served.add(frame.table.subject.name);
    if (frame.type === 'outline') served.add(frame.outline.subject.name);
    const hasAsked = frame.type === 'change' && lines.some((asked) => asked.includes('"meet"'));
    if (frame.type === 'delta' || (frame.type === 'change' && !hasAsked))
      throw new Finding(`a ${frame.type}, though nothing changed`, lines);
  }
  if (served.size > 1) throw new Finding(`one connection got the tables of ${[...served]}`, lines);
  for (const name of served)
    if (!lines.some((line) => line.includes(`token-of-${name}`)))
      throw new Finding(`the table of ${name} went to a connection without its token`, lines);
}

/** A frame of the schema that the connection has asked for. */
function frameOf(line: string): InjectorFrame | InjectorFrameV1 {
  const value: unknown = JSON.parse(line);
  return line.includes('"schema":1,') ? readInjectorFrameV1(value) : readInjectorFrame(value, unpack);
}
