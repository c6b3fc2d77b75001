/** Tries connections in a lab. */
import { codeOrMessageOf } from '../../../common/errno.ts';
import { Agent, type Lab } from '../../../lab/index.ts';
import type { ReadContext } from '../../input/index.ts';
import type { Probed } from '../result.ts';
import type { Probe } from './probe.ts';

/**
 * Longest that one connection may take, ms. A peer that a sidecar has not met yet loses its first SYN and gets in with the
 * second, a second later; in a lab all else takes milliseconds.
 */
const CONNECT_MS = 3_000;

/** The same of one datagram, which is sent again: the first one may be lost for the same reason. */
const DATAGRAM_MS = 1_000;
const DATAGRAMS = 3;

/** Processes in the namespaces at a time: each takes 40 MB. */
const MAX_AGENTS = 12;

/** Connections under way at a time. */
const MAX_AT_ONCE = 32;

/** How a connection is denied. Everything else, such as no route, says nothing about policy. */
const DENIALS: readonly string[] = [
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EPERM',
  'EHOSTUNREACH',
];

/** What came of a probe: that, or why it could not be tried. */
export type ProbeOutcome = Probed | { readonly problem: string };

/** In the order of the probes. @throws the reason of the signal */
export async function runProbes(
  lab: Lab,
  probes: readonly Probe[],
  { progress, signal }: ReadContext,
): Promise<readonly ProbeOutcome[]> {
  const outcomes: ProbeOutcome[] = [];
  for (const batch of batchesOf(probes)) {
    signal.throwIfAborted();
    let done = outcomes.length;
    const tried = await runBatch(lab, batch, signal, () => {
      done += 1;
      progress.say(`tried ${done} of ${probes.length} connections`);
    });
    outcomes.push(...tried);
  }
  return outcomes;
}

/** Runs of probes that need few processes. */
function batchesOf(probes: readonly Probe[]): readonly (readonly Probe[])[] {
  const batches: Probe[][] = [];
  let targets = new Set<string>();
  for (const probe of probes) {
    const wanted = [probe.from, ...probe.listen.map(({ target }) => target)];
    const together = new Set([...targets, ...wanted]);
    const last = batches.at(-1);
    if (last === undefined || together.size > MAX_AGENTS) {
      batches.push([probe]);
      targets = new Set(wanted);
    } else {
      last.push(probe);
      targets = together;
    }
  }
  return batches;
}

async function runBatch(
  lab: Lab,
  probes: readonly Probe[],
  signal: AbortSignal,
  done: () => void,
): Promise<readonly ProbeOutcome[]> {
  const agents = new Map<string, Agent>();
  const agentIn = (target: string): Agent => {
    const agent = agents.get(target) ?? new Agent(lab, target);
    agents.set(target, agent);
    return agent;
  };
  const close = (): void => {
    for (const agent of agents.values()) agent.close();
  };
  signal.addEventListener('abort', close);
  try {
    const problems = await listenFor(probes, agentIn);
    return await inParallel(probes, async (probe) => {
      const problem = probe.listen
        .map((place) => problems.get(keyOf(probe, place)))
        .find((one) => one !== undefined);
      const outcome = problem === undefined ? await tryProbe(agentIn(probe.from), probe) : { problem };
      done();
      return outcome;
    });
  } finally {
    signal.removeEventListener('abort', close);
    close();
  }
}

/** @returns why nothing listens, by place */
async function listenFor(
  probes: readonly Probe[],
  agentIn: (target: string) => Agent,
): Promise<ReadonlyMap<string, string>> {
  const problems = new Map<string, string>();
  const places = new Map(
    probes.flatMap((probe) =>
      probe.listen.map((place) => [keyOf(probe, place), { ...place, protocol: probe.protocol }] as const),
    ),
  );
  await Promise.all(
    [...places].map(async ([key, { target, address, port, protocol }]) => {
      try {
        await agentIn(target).ask({ do: 'listen', protocol, address, port });
      } catch (error) {
        problems.set(key, `nothing can listen on port ${port} of ${target}: ${codeOrMessageOf(error)}`);
      }
    }),
  );
  return problems;
}

function keyOf({ protocol }: Probe, { target, address, port }: Probe['listen'][number]): string {
  return `${protocol} ${port} ${address} ${target}`;
}

async function tryProbe(
  agent: Agent,
  { from, localAddress, address, port, protocol }: Probe,
): Promise<ProbeOutcome> {
  const where = { localAddress, address, port };
  try {
    const { allowed, error, ms } =
      protocol === 'TCP'
        ? await agent.ask({ do: 'connect', ...where, timeoutMs: CONNECT_MS })
        : await sendDatagrams(agent, where);
    if (!allowed && error !== undefined && !DENIALS.includes(error))
      return { problem: `${from} cannot send to ${address}: ${error}` };
    return {
      from,
      address,
      port,
      protocol,
      verdict: allowed ? 'allow' : 'deny',
      ...(allowed || error === undefined ? {} : { error }),
      ...(ms === undefined ? {} : { ms }),
    };
  } catch (error) {
    return { problem: codeOrMessageOf(error) };
  }
}

async function sendDatagrams(
  agent: Agent,
  where: { readonly localAddress: string; readonly address: string; readonly port: number },
): Promise<{ readonly allowed: boolean; readonly error?: string; readonly ms?: undefined }> {
  for (let left = DATAGRAMS - 1; ; left -= 1) {
    const result = await agent.ask({ do: 'datagram', ...where, timeoutMs: DATAGRAM_MS });
    if (result.allowed || result.error !== 'ETIMEDOUT' || left === 0) return result;
  }
}

/** At most `MAX_AT_ONCE` at a time, results in order. */
async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<readonly R[]> {
  const results = new Map<number, R>();
  const queue = items.entries();
  const worker = async (): Promise<void> => {
    for (const [at, item] of queue) results.set(at, await work(item));
  };
  await Promise.all(Array.from({ length: MAX_AT_ONCE }, worker));
  return items.flatMap((_, at) => {
    const result = results.get(at);
    return result === undefined ? [] : [result];
  });
}
