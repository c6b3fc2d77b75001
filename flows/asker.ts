/**
 * Who asks about flows, and the token that says so. A user asks the API server for a token of the account `sluice-flows`, with the
 * own name and groups as audiences; an admission policy of the manifests refuses what is not true. So the token is a statement by
 * the API server, with any credentials of the user, and nobody but the injector takes it. docs/adr/0051
 */
import { list, part, record, text } from '../common/shape.ts';

/** The audience that all these tokens have. */
export const FLOWS_AUDIENCE = 'sluice.dev/flows';

/** The account that the tokens are of. It has no rights. In the injector's namespace. */
export const ASKERS_ACCOUNT = 'sluice-flows';

/** The admission policy that keeps the audiences true, and its binding. */
export const ASKERS_POLICY = 'sluice-flows-askers';

/** Life of such a token, seconds: the shortest that an API server grants. The policy admits no other. */
export const FLOWS_TOKEN_SECONDS = 600;

/** The header that carries the token: the API server keeps `Authorization` to itself. */
export const FLOWS_TOKEN_HEADER = 'x-sluice-token';

/** Name of the port for users, in the injector's Service. */
export const OPERATOR_PORT_NAME = 'operator';

/** Where questions go, below the proxy of that port. */
export const OBSERVE_PATH = '/observe';

/** API group and resource of the rights: nothing is stored there. */
export const FLOWS_GROUP = 'sluice.dev';
export const FLOWS_RESOURCE = 'flows';

/** A user, as the API server knows one: `UserInfo` of `authentication.k8s.io/v1`. */
export interface Asker {
  readonly username: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  /** What authorizers may go by besides, such as the scopes of a token. */
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

/** A SelfSubjectReview with its status: who the API server takes one for. */
export const selfReview = part({
  status: part({
    userInfo: part({ username: text() }, { uid: text(), groups: list(text()), extra: record(list(text())) }),
  }),
});

/** How an audience that states something begins. */
const CLAIMS = { username: 'user:', uid: 'uid:', group: 'group:', extra: 'extra:' } as const;

/** Between the key of an extra and its value. The policy admits no key that has it. */
const EQUALS = '=';

/** The audiences that state who somebody is. */
export function askerAudiences({ username, uid, groups, extra }: Asker): readonly string[] {
  return [
    FLOWS_AUDIENCE,
    `${CLAIMS.username}${username}`,
    ...(uid === undefined || uid === '' ? [] : [`${CLAIMS.uid}${uid}`]),
    ...groups.map((group) => `${CLAIMS.group}${group}`),
    ...Object.entries(extra).flatMap(([key, values]) =>
      values.map((value) => `${CLAIMS.extra}${key}${EQUALS}${value}`),
    ),
  ];
}

/** Who the audiences say that it is; undefined where they are not of this form, or say two names. */
export function askerOf(audiences: readonly string[]): Asker | undefined {
  const usernames: string[] = [];
  const uids: string[] = [];
  const groups: string[] = [];
  const extra = new Map<string, string[]>();
  if (!audiences.includes(FLOWS_AUDIENCE)) return undefined;
  for (const audience of audiences) {
    if (audience === FLOWS_AUDIENCE) continue;
    const said = (claim: string): string | undefined =>
      audience.startsWith(claim) ? audience.slice(claim.length) : undefined;
    const pair = said(CLAIMS.extra);
    if (pair !== undefined) {
      const at = pair.indexOf(EQUALS);
      if (at <= 0) return undefined;
      const key = pair.slice(0, at);
      extra.set(key, [...(extra.get(key) ?? []), pair.slice(at + 1)]);
      continue;
    }
    const [username, uid, group] = [said(CLAIMS.username), said(CLAIMS.uid), said(CLAIMS.group)];
    if (username !== undefined) usernames.push(username);
    else if (uid !== undefined) uids.push(uid);
    else if (group !== undefined) groups.push(group);
    else return undefined;
  }
  const [username = '', another] = usernames;
  const [uid, anotherUid] = uids;
  if (username === '' || another !== undefined || anotherUid !== undefined) return undefined;
  return { username, ...(uid === undefined ? {} : { uid }), groups, extra: Object.fromEntries(extra) };
}
