/** Answers to reviews: who somebody is, and what a user may do. */
import { badRequest } from './api_error.ts';
import { isRecord, type Json } from './api_object.ts';
import { rbacAllows } from './rbac.ts';
import type { Store } from './store.ts';
import type { UserInfo } from './tokens.ts';

/** A SelfSubjectReview with its status. */
export function reviewSelf(request: Json, user: UserInfo): Json {
  return { ...request, status: { userInfo: user } };
}

/** A SubjectAccessReview with its status, by RBAC. */
export function reviewAccess(store: Store, request: Json): Json {
  const spec = isRecord(request.spec) ? request.spec : {};
  const { resourceAttributes: asked, user, groups } = spec;
  if (!isRecord(asked)) throw badRequest('the double reviews access to resources only');
  const { verb, group, resource, namespace } = asked;
  const allowed = rbacAllows(
    store,
    { username: String(user), groups: Array.isArray(groups) ? groups.map(String) : [] },
    {
      verb: String(verb),
      group: String(group ?? ''),
      resource: String(resource),
      ...(namespace === undefined ? {} : { namespace: String(namespace) }),
    },
  );
  return { ...request, status: { allowed } };
}
