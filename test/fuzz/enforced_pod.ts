/** Whether a pod that the webhook has let in is enforced, read from the object alone: shares nothing with the webhook. */
import jsonpatch from 'fast-json-patch';

type Json = Readonly<Record<string, unknown>>;

interface Container {
  readonly name?: unknown;
  readonly image?: unknown;
  readonly restartPolicy?: unknown;
  readonly env?: readonly ({ readonly name?: unknown; readonly value?: unknown } | null)[] | null;
  readonly securityContext?: {
    readonly privileged?: unknown;
    readonly capabilities?: { readonly add?: readonly unknown[] | null } | null;
  } | null;
  readonly volumeMounts?: readonly ({ readonly name?: unknown } | null)[] | null;
}

const BYPASSING = ['NET_ADMIN', 'NET_RAW', 'SYS_ADMIN', 'ALL'];
const OURS: readonly unknown[] = ['sluice-redirect', 'sluice-sidecar'];
const OUR_VOLUMES: readonly unknown[] = ['sluice-state', 'sluice-identity'];

/**
 * @param patch base64 of a JSON patch, as the webhook answers
 * @param outcome the webhook's own word
 * @returns what is wrong, or undefined
 */
export function unenforced(
  object: unknown,
  patch: string | undefined,
  outcome: string,
  namespace: Readonly<Record<string, string>>,
  image: string,
): { readonly problem: string } | undefined {
  const allows = (what: string) => namespace[`sluice.dev/${what}`] === 'true';
  const { spec = {}, metadata } = object as { spec?: Json; metadata?: { annotations?: Json } | null };
  if (spec.hostNetwork === true)
    return allows('allow-privileged') ? undefined : { problem: 'on the host network without permission' };
  const leftOut = metadata?.annotations?.['sluice.dev/inject'] === 'disabled' && allows('allow-opt-out');
  if (leftOut) return outcome === 'opted-out' ? undefined : { problem: `left out, and called ${outcome}` };
  const operations = patch === undefined ? [] : JSON.parse(Buffer.from(patch, 'base64').toString());
  const { newDocument: after } = jsonpatch.applyPatch(
    structuredClone(object) as { spec: Json },
    operations,
    true,
  );
  const problem = wrongWith(after.spec, allows('allow-privileged'), image);
  return problem === undefined ? undefined : { problem };
}

function wrongWith(spec: Json, isPrivilegedAllowed: boolean, image: string): string | undefined {
  const list = (name: string) => (spec[name] ?? []) as readonly (Container | null)[];
  const [sidecar, ...others] = list('initContainers');
  if (sidecar?.name !== 'sluice-sidecar' || sidecar.image !== image || sidecar.restartPolicy !== 'Always')
    return 'the sidecar does not come first';
  if (settingOf(sidecar, 'SLUICE_REDIRECT') !== 'run') return 'nobody puts the redirect in force';
  const asked = pathProblem(sidecar);
  if (asked !== undefined) return asked;
  // The API server refuses a list with null in it.
  const foreign = [...others, ...list('containers'), ...list('ephemeralContainers')].filter(
    (one) => one !== null,
  );
  if ([...others, ...list('containers')].some((one) => OURS.includes(one?.name)))
    return 'a second container of our name';
  for (const container of foreign) {
    if ((container.volumeMounts ?? []).some((mount) => OUR_VOLUMES.includes(mount?.name)))
      return `${container.name} mounts what is the sidecar's`;
    if (!isPrivilegedAllowed && isMighty(container)) return `${container.name} can take the enforcement out`;
  }
  if (!isPrivilegedAllowed && (spec.shareProcessNamespace === true || spec.hostPID === true))
    return "the sidecar's process is in sight";
  return undefined;
}

const PATH = /^(proxy|direct|auto)(,[1-9]\d{0,4}=(proxy|direct|auto))*$/;

function settingOf({ env }: Container, name: string): unknown {
  return env?.findLast((one) => one?.name === name)?.value;
}

/** A sidecar that names a port twice does not start. */
function pathProblem(sidecar: Container): string | undefined {
  const path = settingOf(sidecar, 'SLUICE_PATH');
  if (path === undefined) return undefined;
  if (!PATH.test(String(path))) return `the path is '${path}'`;
  const excluded = String(settingOf(sidecar, 'SLUICE_EXCLUDED_PORTS') ?? '').split(',');
  const both = excluded.find((port) => port !== '' && String(path).includes(`,${port}=`));
  return both === undefined ? undefined : `port ${both} is excluded and has a path`;
}

function isMighty({ securityContext }: Container): boolean {
  if (securityContext?.privileged === true) return true;
  const added = (securityContext?.capabilities?.add ?? []).map((one) =>
    String(one).toUpperCase().replace(/^CAP_/, ''),
  );
  return added.some((one) => BYPASSING.includes(one));
}
