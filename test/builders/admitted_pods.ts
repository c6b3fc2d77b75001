/** Pods as people apply them, and the same pods as injection and the API server leave them. */
import jsonpatch from 'fast-json-patch';
import {
  redirectContainer,
  type SidecarPlan,
  sidecarContainer,
} from '../../injector/admission/injection/containers.ts';
import { inject } from '../../injector/admission/injection/inject.ts';
import type { InjectionConfig } from '../../injector/admission/injection/injection_config.ts';
import { parseAdmittedPod } from '../../injector/admission/pod/pod_object.ts';

type Json = Readonly<Record<string, unknown>>;

/** A container of a pod under test. */
export interface TestContainer {
  readonly name: string;
  readonly image?: string;
  readonly [field: string]: unknown;
}

/** A pod object; only what tests look into is typed. */
export interface TestPod {
  readonly metadata: { readonly name?: string; readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: {
    readonly containers: readonly TestContainer[];
    readonly initContainers?: readonly TestContainer[];
    readonly volumes?: readonly Json[];
    readonly [field: string]: unknown;
  };
}

/** Settings as the default installation has them. */
export function config(changes: Partial<InjectionConfig> = {}): InjectionConfig {
  return {
    version: '9.9.9',
    image: 'registry.example/sluice:9.9.9',
    imagePullPolicy: 'IfNotPresent',
    mode: 'native',
    injectorAddress: '10.96.0.20:15010',
    injectorName: 'sluice-injector.sluice-system.svc',
    iptables: 'auto',
    sidecarLogLevel: 'info',
    sidecarFlowLog: 'denied',
    resources: { requests: { cpu: '10m', memory: '64Mi' }, limits: { cpu: '1', memory: '256Mi' } },
    ...changes,
  };
}

/** The command that the kubelet runs in a native sidecar's container when its pod's termination begins; empty: none. */
export function preStopCommand(changes: Partial<InjectionConfig> = {}): readonly string[] {
  const { lifecycle } = sidecarContainer(planOf(changes)) as {
    readonly lifecycle?: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } };
  };
  return lifecycle?.preStop.exec.command ?? [];
}

/** A pod of one app container. */
export function pod(spec: Json = {}, annotations?: Readonly<Record<string, string>>): TestPod {
  return {
    metadata: { name: 'api', ...(annotations === undefined ? {} : { annotations }) },
    spec: { containers: [{ name: 'app', image: 'app' }], ...spec },
  };
}

/** What injection makes of a pod. */
export function decide(
  object: unknown,
  options: { namespace?: Readonly<Record<string, string>>; config?: InjectionConfig } = {},
) {
  const parsed = parseAdmittedPod(object);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return inject(parsed.object, options.namespace ?? {}, options.config ?? config());
}

/** The pod that the API server stores after the patch. */
export function injected(object: TestPod, options: Parameters<typeof decide>[1] = {}): TestPod {
  const decision = decide(object, options);
  if (decision.kind !== 'injected') throw new Error(JSON.stringify(decision));
  const copy = structuredClone(object);
  // The library's type wants its own operations; ours are a subset of them.
  return jsonpatch.applyPatch(copy, structuredClone([...decision.patch])).newDocument;
}

/** An injected pod as injectors made it before native sidecars put the redirect in force themselves. */
export function earlierForm(object: TestPod): TestPod {
  const [sidecar, ...others] = object.spec.initContainers ?? [];
  const isOther = ({ name }: { readonly name: string }) =>
    !['SLUICE_REDIRECT', 'XTABLES_LOCKFILE'].includes(name);
  const env = (sidecar?.env ?? []) as readonly { readonly name: string }[];
  const earlier = { ...sidecar, command: ['node'], args: ['run'], env: env.filter(isOther) };
  const initContainers = [redirectContainer(planOf()), earlier, ...others] as TestContainer[];
  return { ...object, spec: { ...object.spec, initContainers } };
}

/** An injected pod whose sidecar has another setting of who puts the redirect in force, before or after its own: a process gets the last. */
export function redirectedTwice(object: TestPod, other: Json, place: 'before' | 'after'): TestPod {
  const [sidecar, ...others] = object.spec.initContainers ?? [];
  const own = (sidecar?.env ?? []) as readonly Json[];
  const more = { name: 'SLUICE_REDIRECT', ...other };
  const env = place === 'before' ? [more, ...own] : [...own, more];
  const initContainers = [{ ...sidecar, env }, ...others] as TestContainer[];
  return { ...object, spec: { ...object.spec, initContainers } };
}

function planOf(changes: Partial<InjectionConfig> = {}): SidecarPlan {
  const own = config(changes);
  return { config: own, environment: {}, resources: own.resources, graceSeconds: 30 };
}

/** The reasons for which a pod is refused; none when it is not. */
export function reasons(object: unknown, options: Parameters<typeof decide>[1] = {}): readonly string[] {
  const decision = decide(object, options);
  return decision.kind === 'refused' ? decision.reasons : [];
}
