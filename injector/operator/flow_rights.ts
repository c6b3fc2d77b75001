/** What somebody may see: asked of the API server, by SubjectAccessReview on a resource of which nothing is stored. */
import { createHash } from 'node:crypto';
import type { AuthorizationV1Api } from '@kubernetes/client-node';
import { SluiceError } from '../../common/errors.ts';
import { type Asker, FLOWS_GROUP, FLOWS_RESOURCE } from '../../flows/index.ts';
import { whatFailed, within } from '../api/index.ts';
import { ExpiringMap, Turns } from '../tokens/index.ts';

/** What is done with flows: `list` asks about a span of time, `watch` follows. */
export type FlowVerb = 'list' | 'watch';

/** How long an answer holds, ms: as long as a right that was withdrawn is still good. */
const HOLDS_MS = 5_000;

const TIMEOUT_MS = 5_000;

/** Answers remembered, some 200 bytes each; reviews at once; and those that wait for one. */
const MAX_REMEMBERED = 20_000;
const MAX_AT_ONCE = 16;
const MAX_WAITING = 1_000;

/** Asks what users may see. */
export class FlowRights {
  readonly #api: Pick<AuthorizationV1Api, 'createSubjectAccessReview'>;
  readonly #holdsMs: number;
  readonly #known = new ExpiringMap<string, boolean>(MAX_REMEMBERED);
  readonly #underWay = new Map<string, Promise<boolean>>();
  readonly #turns = new Turns(MAX_AT_ONCE);

  /** @param holdsMs tests shorten it */
  constructor(api: Pick<AuthorizationV1Api, 'createSubjectAccessReview'>, holdsMs = HOLDS_MS) {
    this.#api = api;
    this.#holdsMs = holdsMs;
  }

  /**
   * Whether somebody may see the flows of a namespace; of all, where none is given.
   * @throws SluiceError `RIGHTS_UNCHECKED`: it cannot be said now. Fails closed
   */
  async may(asker: Asker, verb: FlowVerb, namespace?: string): Promise<boolean> {
    const key = createHash('sha256')
      .update(JSON.stringify([asker, verb, namespace ?? null]))
      .digest('base64');
    const known = this.#known.get(key) ?? this.#underWay.get(key);
    if (known !== undefined) return known;
    if (this.#underWay.size >= MAX_WAITING) throw unchecked('too many others are asked about: try again');
    const asked = this.#ask(asker, verb, namespace, key).finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, asked);
    return asked;
  }

  async #ask(asker: Asker, verb: FlowVerb, namespace: string | undefined, key: string): Promise<boolean> {
    const leave = await this.#turns.take();
    try {
      const { username, uid, groups, extra } = asker;
      const spec = {
        user: username,
        ...(uid === undefined ? {} : { uid }),
        groups: [...groups],
        extra: Object.fromEntries(Object.entries(extra).map(([name, values]) => [name, [...values]])),
        resourceAttributes: {
          group: FLOWS_GROUP,
          resource: FLOWS_RESOURCE,
          verb,
          ...(namespace === undefined ? {} : { namespace }),
        },
      };
      const { status } = await this.#api.createSubjectAccessReview({ body: { spec } }, within(TIMEOUT_MS));
      const allowed = status?.allowed === true && status.denied !== true;
      this.#known.set(key, allowed, this.#holdsMs);
      return allowed;
    } catch (cause) {
      throw unchecked(`the API server is asked, and ${whatFailed(cause)}`, cause);
    } finally {
      leave();
    }
  }
}

function unchecked(why: string, cause?: unknown): SluiceError {
  return new SluiceError('RIGHTS_UNCHECKED', `the rights of the user cannot be checked now: ${why}`, {
    cause,
  });
}
