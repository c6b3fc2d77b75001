/** A reflector of a double's pods, and all that it passed on. */
import { KubeConfig } from '@kubernetes/client-node';
import { ApiClient } from '../../../../injector/api/api_client.ts';
import type { ObjectChange } from '../../../../injector/api/known_objects.ts';
import type { RawObject } from '../../../../injector/api/raw_object.ts';
import { Reflector, type ReflectorTimes } from '../../../../injector/api/reflector.ts';
import type { ApiServer } from '../../../support/api_server/api_server.ts';
import { resourceOfKind } from '../../../support/api_server/resources.ts';
import { captureLog, type LogLine } from '../captured_log.ts';

/** Short enough for a test; nothing that a test does not order happens by time. */
const TIMES: Partial<ReflectorTimes> = {
  backoff: { firstMs: 4, lastMs: 40 },
  pauseMs: [1, 5],
};

/** The double answers within milliseconds, or not at all. */
const ANSWER_TIMEOUT_MS = 2_000;

/** The double's published configuration, for the client library. */
export function configOf(server: ApiServer, token?: string): KubeConfig {
  const config = new KubeConfig();
  config.loadFromString(JSON.stringify(server.kubeconfig(token)));
  return config;
}

export class ReflectedPods {
  /** `put shop/a uid` and `remove shop/a`, in order. */
  readonly changes: string[] = [];
  /** What the changes add up to: key to `uid version`. */
  readonly copy = new Map<string, string>();
  readonly counts = { lists: 0, failures: 0, bookmarks: 0 };
  /** What was passed on twice, out of order, or older than what was before. */
  readonly faults: string[] = [];
  readonly lines: LogLine[];
  readonly reflector: Reflector<RawObject>;
  /** By UID; infinite once it is gone. */
  readonly #newest = new Map<string, number>();
  readonly #client: ApiClient;

  constructor(server: ApiServer, times: Partial<ReflectorTimes> = {}) {
    const { log, lines } = captureLog();
    this.lines = lines;
    this.#client = new ApiClient(configOf(server), ANSWER_TIMEOUT_MS);
    this.reflector = new Reflector<RawObject>({
      client: this.#client,
      path: '/api/v1/pods',
      trim: (object) => object,
      sink: (changes) => {
        for (const change of changes) this.#take(change);
      },
      events: {
        listed: () => this.#count('lists'),
        event: (type) => {
          if (type === 'bookmark') this.#count('bookmarks');
        },
        failed: () => this.#count('failures'),
      },
      log,
      times: { ...TIMES, ...times },
    });
  }

  async close(): Promise<void> {
    await this.reflector.close();
    this.#client.close();
  }

  #count(what: keyof ReflectedPods['counts']): void {
    this.counts[what] += 1;
  }

  #take(change: ObjectChange<RawObject>): void {
    if (change.type === 'remove') {
      const [gone = ''] = this.copy.get(change.key)?.split(' ') ?? [];
      this.#newest.set(gone, Number.POSITIVE_INFINITY);
      if (!this.copy.delete(change.key)) this.faults.push(`${change.key} was removed twice`);
      this.changes.push(`remove ${change.key}`);
      return;
    }
    const { uid, resourceVersion } = change.object.metadata;
    const next = `${uid} ${resourceVersion}`;
    const before = this.copy.get(change.key);
    const version = Number(resourceVersion);
    if (version < (this.#newest.get(uid) ?? 0)) this.faults.push(`${change.key} went back in time`);
    this.#newest.set(uid, version);
    if (before === next) this.faults.push(`${change.key} was passed on twice`);
    if (before !== undefined && !before.startsWith(uid))
      this.faults.push(`${change.key} became another object`);
    this.copy.set(change.key, next);
    this.changes.push(`put ${change.key}`);
  }
}

/** What the double has, in the form of `copy`. */
export function podsOf(server: ApiServer): Map<string, string> {
  const pods = resourceOfKind('v1', 'Pod');
  return new Map(
    (pods === undefined ? [] : server.api.store.list(pods)).map(({ metadata }) => [
      `${metadata.namespace}/${metadata.name}`,
      `${metadata.uid} ${metadata.resourceVersion}`,
    ]),
  );
}
