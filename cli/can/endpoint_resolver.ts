/** Finds what the two ends of a question name among the manifests. */

import { SluiceError, unreachable } from '../../common/errors.ts';
import { addressOwners, type Endpoint, objectKey, type Pod, type Service } from '../../policy/index.ts';
import { type Manifests, WORKLOAD_KINDS, type Workloads } from '../../sources/index.ts';
import type { UnlistedKind } from '../input/index.ts';
import { didYouMean, firstHint } from '../likeness.ts';
import { ALWAYS_KNOWN, SERVICES, unknownName, type WantedName, workloadsOf } from '../unknown_name.ts';
import { type NamingContext, parseEndpointRef } from './endpoint_ref.ts';
import type { Front, ServiceFronts } from './service_fronts.ts';

/** One end of a flow, found. */
export interface Party {
  /** As it was written. */
  readonly text: string;
  readonly endpoint: Endpoint;
  /** The pod, also where the text is an address that the pod owns. */
  readonly pod?: Pod;
  /** The pod was made from a workload's template: it has no address. */
  readonly fromTemplate: boolean;
  /** One address that stands for those of a block. */
  readonly ofBlock?: true;
}

/** A block of addresses, or `internet`. */
export interface BlockParty {
  readonly text: string;
  readonly block: string;
}

/** A Service, in the place of a destination. */
export interface ServiceParty {
  readonly text: string;
  readonly service: Service;
  /** Where it was met; absent where it was named. */
  readonly front?: Front;
  /** As it was written behind the name. */
  readonly port?: string;
}

/** Resolves texts such as `shop/web` against one set of manifests. */
export interface EndpointResolver {
  /**
   * What opens the flow: no Service does.
   * @throws SluiceError `ENDPOINT_INVALID` or `ENDPOINT_UNKNOWN`.
   */
  source(text: string): Party | BlockParty;
  /**
   * What the flow goes to. An address of a Service is an address here: which Service it is depends on the port.
   * @param source A workload is another of its pods, where it has one.
   * @throws SluiceError `ENDPOINT_INVALID` or `ENDPOINT_UNKNOWN`.
   */
  destination(text: string, source: Party | BlockParty): Party | ServiceParty | BlockParty;
}

/** Settings of a resolver. */
export interface ResolverOptions {
  /** From `-n`. */
  readonly namespace?: string;
  /** The same for the destination. */
  readonly toNamespace?: string;
  /** What is asked, for messages: `manifests`. */
  readonly noun: string;
  /** Kinds whose names are not all known. */
  readonly unlisted: readonly UnlistedKind[];
  /** Whether errors offer near names. It costs a look at every name. */
  readonly suggest: boolean;
  readonly workloads: Workloads;
  readonly fronts: ServiceFronts;
}

/** Indexes the manifests once; each look-up is then cheap. */
export function createEndpointResolver(manifests: Manifests, options: ResolverOptions): EndpointResolver {
  const { cluster } = manifests;
  const { workloads, fronts } = options;
  const owners = addressOwners(cluster);
  const podNamespaces = new Set([...cluster.pods.values()].map((pod) => pod.namespace));
  const namingIn = (namespace: string | undefined): NamingContext => ({
    ...(namespace === undefined ? {} : { namespace }),
    hasNamespace: (name) => cluster.namespaces.has(name) || podNamespaces.has(name),
  });
  const namingOfSource = namingIn(options.namespace);
  const namingOfDestination = namingIn(options.toNamespace ?? options.namespace);

  const unknown = (
    what: string,
    name: string,
    mayBe: WantedName['mayBe'],
    ...known: readonly (() => Iterable<string>)[]
  ) => {
    const hint = options.suggest ? firstHint(name, known) : '';
    return new SluiceError('ENDPOINT_UNKNOWN', unknownName(options, { what, name, hint, mayBe }));
  };

  /** A workload of any kind; its pod is another than `avoid`. */
  const ofAnyKind = (namespace: string, name: string, avoid: Pod | undefined) => {
    const found = Object.values(WORKLOAD_KINDS).flatMap((kind) => {
      const pod = workloads.findPod(kind, namespace, name, avoid);
      return pod === undefined ? [] : [{ kind, ...pod }];
    });
    const [first, second] = found;
    if (first === undefined || second === undefined) return first;
    throw new SluiceError(
      'ENDPOINT_INVALID',
      `${objectKey(namespace, name)} may be ${found.map(({ kind }) => `${kind}/${name}`).join(' or ')}: write which`,
    );
  };

  /** A bare name is a name of any namespace that has it: which, is for the user to say. */
  const refOf = (text: string, naming: NamingContext) => {
    try {
      return parseEndpointRef(text, naming);
    } catch (cause) {
      if (!(cause instanceof SluiceError) || cause.code !== 'ENDPOINT_INVALID') throw cause;
      const isBare = options.suggest && !text.includes('/') && text !== '';
      const hint = isBare ? didYouMean(text, [...workloads.names(), ...cluster.pods.keys()]) : '';
      throw hint === '' ? cause : new SluiceError('ENDPOINT_INVALID', `${cause.message}${hint}`, { cause });
    }
  };

  const resolve = (
    text: string,
    naming: NamingContext,
    from?: Party | BlockParty,
  ): Party | ServiceParty | BlockParty => {
    const avoid = from !== undefined && 'pod' in from ? from.pod : undefined;
    const ref = refOf(text, naming);
    switch (ref.kind) {
      case 'block':
        return { text, block: ref.block };
      case 'named': {
        const key = objectKey(ref.namespace, ref.name);
        const pod = cluster.pods.get(key);
        if (pod !== undefined) return { text, endpoint: { kind: 'pod', pod }, pod, fromTemplate: false };
        const found = ofAnyKind(ref.namespace, ref.name, avoid);
        if (found === undefined)
          throw unknown(
            'pod',
            key,
            workloadsOf(),
            () => cluster.pods.keys(),
            () => workloads.names(),
          );
        return {
          text,
          endpoint: { kind: 'pod', pod: found.pod },
          pod: found.pod,
          fromTemplate: found.fromTemplate,
        };
      }
      case 'address': {
        const pod = owners.get(ref.address);
        const endpoint: Endpoint = { kind: 'address', address: ref.address };
        return { text, endpoint, fromTemplate: false, ...(pod === undefined ? {} : { pod }) };
      }
      case 'pod': {
        const key = objectKey(ref.namespace, ref.name);
        const pod = cluster.pods.get(key);
        if (pod === undefined) throw unknown('pod', key, ALWAYS_KNOWN, () => cluster.pods.keys());
        return { text, endpoint: { kind: 'pod', pod }, pod, fromTemplate: false };
      }
      case 'workload': {
        const found = workloads.findPod(ref.workload, ref.namespace, ref.name, avoid);
        if (found === undefined) {
          const wanted = `${ref.namespace}/${ref.workload}/${ref.name}`;
          throw unknown('workload', wanted, workloadsOf(ref.workload), () => workloads.names());
        }
        return { text, endpoint: { kind: 'pod', pod: found.pod }, ...found };
      }
      case 'service': {
        const key = objectKey(ref.namespace, ref.name);
        const service = cluster.services.get(key);
        if (service === undefined) throw unknown('Service', key, SERVICES, () => cluster.services.keys());
        return { text, service, ...(ref.port === undefined ? {} : { port: ref.port }) };
      }
      default:
        return unreachable(ref);
    }
  };

  return {
    source(text) {
      const found = resolve(text, namingOfSource);
      if ('block' in found) return found;
      if ('service' in found) throw opensNothing(text, found.service);
      const { endpoint, pod } = found;
      const service =
        endpoint.kind === 'address' && pod === undefined ? fronts.ownerOf(endpoint.address) : undefined;
      if (service !== undefined) throw opensNothing(text, service);
      return found;
    },
    destination: (text, source) => resolve(text, namingOfDestination, source),
  };
}

function opensNothing(text: string, { namespace, name }: Service): SluiceError {
  return new SluiceError(
    'ENDPOINT_INVALID',
    `'${text}' is Service ${objectKey(namespace, name)}, and a Service opens no connections: ` +
      'name a pod or a workload',
  );
}

/** What people know a party by: `shop/web (10.1.2.3, deploy/web)`, `203.0.113.7`. */
export function describeParty(party: Party): string {
  const { pod } = party;
  if (pod === undefined) return partyName(party);
  const details = [
    ...pod.ips,
    ...(pod.workload.startsWith('pod/') || party.fromTemplate ? [] : [pod.workload]),
  ];
  return details.length === 0 ? partyName(party) : `${partyName(party)} (${details.join(', ')})`;
}

/** The short form: `shop/web`, or the address where no pod owns it. */
export function partyName(party: Party): string {
  if (party.ofBlock) return party.text;
  if (party.pod !== undefined && party.fromTemplate) return templateName(party.pod);
  if (party.pod !== undefined) return objectKey(party.pod.namespace, party.pod.name);
  return party.endpoint.kind === 'address' ? party.endpoint.address : party.text;
}

/** Of a pod that is not there yet: `shop/deploy/web (template)`, and what is known already, as of `shop/db-0 (template)`. */
function templateName({ namespace, name, workload }: Pod): string {
  const found = /-template(?:-(\d+))?$/.exec(name);
  if (found === null) return `${objectKey(namespace, name)} (template)`;
  const [, replica] = found;
  return `${namespace}/${workload} (template${replica === undefined ? '' : `, pod ${replica}`})`;
}
