/** Which connections tell whether a case holds in a lab. Pure. */
import { SluiceError } from '../../../common/errors.ts';
import { familyOf } from '../../../common/net.ts';
import type { Topology } from '../../../lab/index.ts';
import { cidrContains, objectKey, type Protocol, parseAddress, parseCidr } from '../../../policy/index.ts';
import { type Answer, type Judged, type Party, type Question, verdictOf } from '../../can/index.ts';
import { INTERNET } from '../../public_addresses.ts';
import type { Verdict } from '../verdict.ts';
import type { Listening, Probe } from './probe.ts';

/** What is tried, and what the engine says of just that. */
export interface Plan {
  readonly probes: readonly Probe[];
  readonly engine: Verdict;
}

/** Backends of one Service where the command listens itself: a process each. */
const MAX_LISTENING = 10;

/** Backends of a Service that are tried, of those that are allowed and of those that are denied each. */
const MAX_BACKENDS = 4;

/**
 * @param ask the engine, about addresses of the lab
 * @throws SluiceError `CASE_NOT_PROBED`, and those of `ask`
 */
export function planCase(
  answer: Answer,
  question: Question,
  topology: Topology,
  ask: (question: Question) => Answer,
): Plan {
  if (answer.protocol === 'SCTP')
    throw notProbed('a lab has no SCTP: judge this case by the engine, with -f');
  const answers = inLab(answer, question, topology, ask);
  const probes = answers.flatMap((one) => probesOf(one, topology));
  if (probes.length === 0) throw notProbed('the two ends have no addresses of one family in the lab');
  // By addresses: a rule with a block may tell the families of one pod apart.
  const byEngine = probes.map(({ localAddress, address, port, protocol }) =>
    ask({ from: localAddress, to: address, port: String(port), protocol }),
  );
  return { probes, engine: verdictOf(byEngine) };
}

/** Of a block the addresses that the lab has outside: it has no others to connect from, or to. */
function inLab(
  answer: Answer,
  question: Question,
  { outside }: Topology,
  ask: (question: Question) => Answer,
): readonly Answer[] {
  const { source, destination } = answer;
  const end = source.ofBlock ? 'from' : destination.ofBlock ? 'to' : undefined;
  if (end === undefined) return [answer];
  const block = question[end];
  const addresses = outside.addresses.filter((address) => isWithin(block, address));
  if (addresses.length === 0)
    throw notProbed(
      `the lab has no address of ${block} outside: give it one (sluice lab up --external ADDRESS)`,
    );
  return addresses.map((address) => ask({ ...question, [end]: address }));
}

/** Outside is the rest of the world: any of its addresses stands for the internet. */
function isWithin(block: string, address: string): boolean {
  if (block === INTERNET) return true;
  const written = parseCidr(block);
  const words = parseAddress(address);
  return written !== undefined && words !== undefined && cidrContains(written.cidr, words);
}

function probesOf(answer: Answer, topology: Topology): readonly Probe[] {
  const { source, service, protocol, askedPort } = answer;
  const to = (judged: Judged): readonly Probe[] => direct(source, judged, protocol, topology);
  if (service === undefined) return to(answer);
  const { front, candidates } = service;
  if (front !== undefined && front.kind !== 'cluster')
    throw notProbed('a lab serves Services at their cluster addresses, and not on nodes or outside');
  const listen = candidates.flatMap((judged) => listeningOf(judged, protocol, topology));
  if (new Set(listen.map(({ target }) => target)).size > MAX_LISTENING)
    throw notProbed(
      `more than ${MAX_LISTENING} backends do not declare the port that they are to have: declare it, and their apps serve it`,
    );
  const addresses = front === undefined ? service.service.clusterIPs : [front.address];
  const through = addresses.flatMap((address) =>
    pairs(source, [address]).map((pair) => ({
      ...pair,
      from: placeOf(source, topology),
      port: askedPort,
      protocol: packetProtocol(protocol),
      listen,
    })),
  );
  return [
    ...through,
    ...(['deny', 'allow'] as const).flatMap((verdict) => candidatesOf(candidates, verdict)).flatMap(to),
  ];
}

function candidatesOf(candidates: readonly Judged[], verdict: 'allow' | 'deny'): readonly Judged[] {
  return candidates.filter(({ flow }) => flow.verdict === verdict).slice(0, MAX_BACKENDS);
}

function direct(source: Party, judged: Judged, protocol: Protocol, topology: Topology): readonly Probe[] {
  const listening = listeningOf(judged, protocol, topology);
  return pairs(source, addressesOf(judged.destination)).map((pair) => ({
    ...pair,
    from: placeOf(source, topology),
    port: judged.port,
    protocol: packetProtocol(protocol),
    listen: listening.filter(({ address }) => address === pair.address),
  }));
}

/** One address of each end for each family that both have. */
function pairs(
  source: Party,
  addresses: readonly string[],
): readonly { readonly localAddress: string; readonly address: string }[] {
  return ([4, 6] as const).flatMap((family) => {
    const localAddress = addressesOf(source).find((one) => familyOf(one) === family);
    const address = addresses.find((one) => familyOf(one) === family);
    return localAddress === undefined || address === undefined ? [] : [{ localAddress, address }];
  });
}

function addressesOf({ endpoint, pod }: Party): readonly string[] {
  return endpoint.kind === 'address' ? [endpoint.address] : (pod?.ips ?? []);
}

/** Where nobody listens: the apps of a lab serve what their pods declare. */
function listeningOf(
  { destination, port }: Judged,
  protocol: Protocol,
  topology: Topology,
): readonly Listening[] {
  const target = placeOf(destination, topology);
  const declared = destination.pod?.ports.some((own) => own.port === port && own.protocol === protocol);
  return declared === true ? [] : addressesOf(destination).map((address) => ({ target, address, port }));
}

/** @throws SluiceError `CASE_NOT_PROBED` for what the lab does not run */
function placeOf({ pod, endpoint, text }: Party, { pods, nodes, outside }: Topology): string {
  if (pod !== undefined) {
    const key = objectKey(pod.namespace, pod.name);
    if (pods.some((own) => own.key === key)) return key;
    throw notProbed(`the lab runs no pod of ${text}`);
  }
  const address = endpoint.kind === 'address' ? endpoint.address : text;
  if (outside.addresses.includes(address)) return 'outside';
  const node = nodes.find(({ addresses }) => addresses.includes(address));
  if (node !== undefined) return `node/${node.name}`;
  throw notProbed(`the lab has no ${address}: give it to what is outside (sluice lab up --external ADDRESS)`);
}

function packetProtocol(protocol: Protocol): 'TCP' | 'UDP' {
  return protocol === 'UDP' ? 'UDP' : 'TCP';
}

function notProbed(message: string): SluiceError {
  return new SluiceError('CASE_NOT_PROBED', message);
}
