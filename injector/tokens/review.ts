/** What a TokenReview says about a token. Source: `authentication.k8s.io/v1`, and the API server's service accounts. */
import type { V1TokenReview } from '@kubernetes/client-node';
import { TOKEN_AUDIENCE } from '../../common/contract.ts';
import type { TokenVerdict } from './authenticator.ts';

/** `status.user.username` of a service account. */
const ACCOUNT = /^system:serviceaccount:([^:]+):[^:]+$/;

/** `status.user.extra` of a token that is bound to a pod. */
const POD_NAME = 'authentication.kubernetes.io/pod-name';
const POD_UID = 'authentication.kubernetes.io/pod-uid';

/** Reads a review. Fails closed: a review that lacks anything admits nobody. */
export function readReview({ status }: V1TokenReview): TokenVerdict {
  if (status?.authenticated !== true)
    return refused(
      `${status?.error || 'the API server does not know it'}: is the volume's audience ${TOKEN_AUDIENCE}?`,
    );
  // `status.audiences`: a server that leaves them out has not looked at them, and takes its own tokens for good.
  if (!status.audiences?.includes(TOKEN_AUDIENCE))
    return refused(`it is not for the audience ${TOKEN_AUDIENCE}: is that the volume's audience?`);
  const namespace = ACCOUNT.exec(status.user?.username ?? '')?.[1];
  if (namespace === undefined) return refused('it is not of a service account: use a projected token');
  const name = only(status.user?.extra?.[POD_NAME]);
  const uid = only(status.user?.extra?.[POD_UID]);
  if (name === undefined || uid === undefined)
    return refused('it is not bound to a pod: use a projected token, of Kubernetes 1.22 or later');
  return { verdict: 'pod', pod: { namespace, name, uid } };
}

function only(values: readonly string[] | undefined): string | undefined {
  return values?.length === 1 ? values[0] || undefined : undefined;
}

function refused(why: string): TokenVerdict {
  return { verdict: 'refused', message: `the token is refused: ${why}` };
}
