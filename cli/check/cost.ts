/** What an installation costs: what its sidecars and its injectors ask the scheduler for, and what they may take. */
import type { V1Deployment } from '@kubernetes/client-node';
import {
  annotatedResources,
  type InjectionConfig,
  inject,
  parseAdmittedPod,
  podSecurityLevel,
  quantityValue,
} from '../../injector/admission/index.ts';
import type { NamespaceContent } from './files.ts';
import { type Finding, ok } from './finding.ts';
import { metadataOf } from './namespace_check.ts';

/** Cores and bytes of several containers together. A limit of 0: there is none. */
interface Amount {
  readonly cpuRequest: number;
  readonly memoryRequest: number;
  readonly cpuLimit: number;
  readonly memoryLimit: number;
}

/** Requests times pods. */
export interface Cost {
  readonly sidecars: Amount & { readonly count: number };
  /** Absent where none is known. */
  readonly injectors?: Amount & { readonly count: number };
  /** Workloads of which there is a pod on each node: one is counted of each. */
  readonly onEachNode: number;
}

const NOTHING: Amount = { cpuRequest: 0, memoryRequest: 0, cpuLimit: 0, memoryLimit: 0 };

/** Of all pods that get a sidecar, or have one. */
export function costOf(
  contents: readonly NamespaceContent[],
  settings: InjectionConfig,
  injector: V1Deployment | undefined,
): Cost {
  let sum = NOTHING;
  let count = 0;
  let onEachNode = 0;
  for (const { namespace, pods } of contents)
    for (const pod of pods) {
      const parsed = parseAdmittedPod(pod.object);
      if (!parsed.ok) continue;
      const level = podSecurityLevel(namespace.labels);
      if (inject(parsed.object, namespace.annotations, settings, level).kind !== 'injected') continue;
      const { resources } = annotatedResources(metadataOf(pod).annotations, settings.resources);
      sum = plus(sum, amountOf(resources.requests, resources.limits), pod.count);
      count += pod.count;
      if (pod.workload.kind === 'daemonset' && pod.pod === undefined) onEachNode += 1;
    }
  return {
    sidecars: { count, ...sum },
    onEachNode,
    ...(injector === undefined ? {} : { injectors: ofInjectors(injector) }),
  };
}

function ofInjectors({ spec }: V1Deployment): Amount & { readonly count: number } {
  const count = spec?.replicas ?? 1;
  const each = (spec?.template.spec?.containers ?? [])
    .map(({ resources }) => amountOf(resources?.requests, resources?.limits))
    .reduce((sum, amount) => plus(sum, amount, 1), NOTHING);
  return { count, ...plus(NOTHING, each, count) };
}

type Quantities = Readonly<Record<string, string>>;

function amountOf(requests: Quantities = {}, limits: Quantities = {}): Amount {
  const value = (text: string | undefined): number => quantityValue(text ?? '0') || 0;
  return {
    cpuRequest: value(requests.cpu),
    memoryRequest: value(requests.memory),
    cpuLimit: value(limits.cpu),
    memoryLimit: value(limits.memory),
  };
}

function plus(sum: Amount, each: Amount, times: number): Amount {
  return {
    cpuRequest: sum.cpuRequest + each.cpuRequest * times,
    memoryRequest: sum.memoryRequest + each.memoryRequest * times,
    cpuLimit: sum.cpuLimit + each.cpuLimit * times,
    memoryLimit: sum.memoryLimit + each.memoryLimit * times,
  };
}

/** The cost in a sentence. */
export function costFinding({ sidecars, injectors, onEachNode }: Cost): Finding {
  const parts = [
    `${counted(sidecars.count, 'sidecar')} ${verb(sidecars.count)} ${amountText(sidecars)}`,
    ...(injectors === undefined
      ? []
      : [`${counted(injectors.count, 'injector')} ${verb(injectors.count)} ${amountText(injectors)}`]),
    ...(onEachNode === 0
      ? []
      : [`${counted(onEachNode, 'DaemonSet')} counted as one pod, of which there is one on each node`]),
  ];
  return ok('cost', parts.join('; '));
}

function amountText({ cpuRequest, memoryRequest, cpuLimit, memoryLimit }: Amount): string {
  const most = [
    cpuLimit === 0 ? 'any CPU' : `CPU ${cpuText(cpuLimit)}`,
    memoryLimit === 0 ? 'any memory' : `memory ${memoryText(memoryLimit)}`,
  ];
  return `CPU ${cpuText(cpuRequest)} and memory ${memoryText(memoryRequest)}, and may take ${most.join(' and ')}`;
}

const verb = (count: number): string => (count === 1 ? 'requests' : 'request');

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

function cpuText(cores: number): string {
  const millis = Math.round(cores * 1000);
  return millis % 1000 === 0 ? `${millis / 1000}` : `${millis}m`;
}

const MEBI = 1024 ** 2;

function memoryText(bytes: number): string {
  const mebi = Math.round(bytes / MEBI);
  return mebi >= 1024 && mebi % 1024 === 0 ? `${mebi / 1024}Gi` : `${mebi}Mi`;
}

/** The cost for programs: cores and bytes. */
export function costJson({ sidecars, injectors, onEachNode }: Cost) {
  const json = ({ count, ...amount }: Amount & { readonly count: number }) => ({
    count,
    cpu_request_cores: amount.cpuRequest,
    memory_request_bytes: amount.memoryRequest,
    ...(amount.cpuLimit === 0 ? {} : { cpu_limit_cores: amount.cpuLimit }),
    ...(amount.memoryLimit === 0 ? {} : { memory_limit_bytes: amount.memoryLimit }),
  });
  return {
    sidecars: json(sidecars),
    ...(injectors === undefined ? {} : { injectors: json(injectors) }),
    daemonsets_counted_once: onEachNode,
  };
}
