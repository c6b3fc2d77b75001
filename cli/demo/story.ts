/** What the demo shows, step by step. Each step checks what it shows. */

import { join, relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SIDECAR_PORTS } from '../../common/contract.ts';
import type { FlowReport } from '../../lab/index.ts';
import { Agent, columns, Lab, patternSha256 } from '../../lab/index.ts';
import { BrokenPromise, megabytes, type Page } from './page.ts';
import { explanationIn } from './recorded_flows.ts';

const EXAMPLES = join(import.meta.dirname, '../../examples');
const BOOKSTORE = join(EXAMPLES, 'bookstore');
const UPDATE = join(EXAMPLES, 'bookstore-update', 'policy.yaml');

/** Default of SLUICE_ADMIN_PORT. */
const ADMIN_PORT = SIDECAR_PORTS.admin;

const API = 'shop/api';
const API_PORT = 8080;

/** Who tries to reach the api, and whether the bookstore's policy lets them. */
const CALLERS = [
  { pod: 'shop/frontend', who: 'app=bookstore', allowed: true },
  { pod: 'shop/stock', who: 'app=inventory', allowed: true },
  { pod: 'shop/coupons', who: 'app=coupons', allowed: false },
  { pod: 'reports/monthly', who: 'app=bookstore, in another namespace', allowed: false },
] as const;

/** Reads on after the change. */
const ALLOWED = 'shop/frontend';
/** Is cut by the change. */
const FORBIDDEN = 'shop/stock';

/** Bytes a second of each transfer: long enough to watch, light enough for a small machine. */
const TRANSFER_RATE = 60_000_000;
/** Bytes of a whole transfer: about 4 s. */
const TRANSFER_BYTES = 240_000_000;
/** How long the transfers run before the change, in milliseconds. */
const BEFORE_CHANGE_MS = 1000;
/** How long the cut may take before the demo gives up, in milliseconds. */
const CUT_TIMEOUT_MS = 5000;
/** How long the transfer that goes on may take, in milliseconds. */
const FINISH_TIMEOUT_MS = 60_000;

const GROUP = 'transfer';

/**
 * Plays the demo in a lab of this name; the caller takes it down.
 * @throws BrokenPromise when something does not behave as shown
 */
export async function playDemo(name: string, page: Page, signal: AbortSignal): Promise<void> {
  const { say, step, detail } = page;
  say(
    'Sluice enforces Kubernetes NetworkPolicy from a sidecar in each pod. This is a small cluster on this machine:',
  );
  say('each pod is a network namespace with a real sidecar, each connection below is a real one.');

  step(1, `The cluster of ${relative(process.cwd(), BOOKSTORE) || BOOKSTORE} comes up`);
  const startedAt = performance.now();
  const lab = await Lab.up({ name, paths: [BOOKSTORE], signal });
  const { nodes, pods } = lab.topology;
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  detail(
    `${nodes.length} nodes and ${pods.length} pods after ${seconds} s; every sidecar enforces its table`,
  );

  const agents = new Map<string, Agent>();
  for (const { pod } of [...CALLERS, { pod: API }]) agents.set(pod, new Agent(lab, pod));
  const agent = (pod: string): Agent => agents.get(pod) ?? new Agent(lab, pod);
  try {
    await showWhoMayConnect(lab, agent, page);
    await showTransfers(lab, agent, page);
    await showCut(lab, agent, page);
  } finally {
    for (const each of agents.values()) each.close();
  }
}

async function showWhoMayConnect(
  lab: Lab,
  agent: (pod: string) => Agent,
  { step, detail, emphasise }: Page,
): Promise<void> {
  step(
    2,
    `Who reaches ${API}? Its policy api-allow admits app=bookstore and app=inventory of its own namespace`,
  );
  const rows = [['FROM', 'LABELS', 'IPv4', 'IPv6', 'THE API SEES']];
  for (const { pod, who, allowed } of CALLERS) {
    const outcomes = await Promise.all(
      lab.pod(API).ips.map((address) => agent(pod).ask({ do: 'connect', address, port: API_PORT })),
    );
    for (const outcome of outcomes) {
      if (outcome.allowed === allowed) continue;
      throw new BrokenPromise(
        `${pod} ${allowed ? 'should reach' : 'should not reach'} ${API}: ${JSON.stringify(outcome)}`,
      );
    }
    const seen = outcomes
      .map((outcome) => outcome.seenAddress ?? '')
      .join(' ')
      .trim();
    if (allowed && seen !== lab.pod(pod).ips.join(' ')) {
      throw new BrokenPromise(`${API} should see the addresses of ${pod}, and sees ${seen}`);
    }
    rows.push([
      pod,
      who,
      ...outcomes.map((outcome) => (outcome.allowed ? 'connected' : 'denied')),
      seen || '-',
    ]);
  }
  for (const line of columns(rows).split('\n')) detail(paint(line, emphasise));
}

async function showTransfers(lab: Lab, agent: (pod: string) => Agent, { step, detail }: Page): Promise<void> {
  step(3, `Two long transfers from ${API}, ${megabytes(TRANSFER_BYTES)} each`);
  await Promise.all(
    [ALLOWED, FORBIDDEN].map((pod) =>
      agent(pod).ask({
        do: 'open',
        group: GROUP,
        count: 1,
        address: lab.pod(API).ips[0] ?? '',
        port: API_PORT,
        work: { kind: 'receive', bytes: TRANSFER_BYTES, sentBytesPerSecond: TRANSFER_RATE },
      }),
    ),
  );
  await delay(BEFORE_CHANGE_MS);
  for (const pod of [ALLOWED, FORBIDDEN]) {
    const flow = await reportOf(agent(pod));
    if (flow.state !== 'open')
      throw new BrokenPromise(`the transfer of ${pod} should be running: ${JSON.stringify(flow)}`);
    detail(`${pod.padEnd(14)} ${megabytes(flow.receivedBytes)} so far`);
  }
}

async function showCut(
  lab: Lab,
  agent: (pod: string) => Agent,
  { step, detail, emphasise }: Page,
): Promise<void> {
  step(4, 'The policy changes: app=inventory is no longer admitted');
  const { appliedAt, enforcedAfterMs } = await lab.apply([UPDATE]);
  const [cut] = await agent(FORBIDDEN).ask({ do: 'finish', group: GROUP, timeoutMs: CUT_TIMEOUT_MS });
  if (cut?.overAt === undefined || cut.error !== 'ECONNRESET') {
    throw new BrokenPromise(`the transfer of ${FORBIDDEN} should have been reset: ${JSON.stringify(cut)}`);
  }
  const atCut = await reportOf(agent(ALLOWED));
  if (atCut.state !== 'open') {
    throw new BrokenPromise(`the transfer of ${ALLOWED} should go on: ${JSON.stringify(atCut)}`);
  }
  const cutMs = emphasise('bold', `${Math.round(cut.overAt - appliedAt)} ms`);
  detail(
    `${FORBIDDEN.padEnd(14)} ${emphasise('red', 'reset')} ${cutMs} after the change, at ${megabytes(cut.receivedBytes)}`,
  );
  detail(`${ALLOWED.padEnd(14)} ${emphasise('green', 'goes on')}, at ${megabytes(atCut.receivedBytes)}`);
  detail(`in force at every sidecar, by their own report, after ${Math.round(enforcedAfterMs)} ms`);

  step(5, 'Why, in the words of the sidecar');
  detail(await explanation(lab, agent(API)));

  step(6, 'And the transfer that is still allowed');
  const [whole] = await agent(ALLOWED).ask({ do: 'finish', group: GROUP, timeoutMs: FINISH_TIMEOUT_MS });
  if (whole?.receivedSha256 !== patternSha256(TRANSFER_BYTES)) {
    throw new BrokenPromise(`the transfer of ${ALLOWED} should be whole: ${JSON.stringify(whole)}`);
  }
  detail(
    `${ALLOWED.padEnd(14)} ${emphasise('green', 'complete')}: ${whole.receivedBytes} bytes, SHA-256 as sent`,
  );
}

/** The record of the cut flow, from the /flows page of the api's sidecar. */
async function explanation(lab: Lab, agent: Agent): Promise<string> {
  const { body } = await agent.ask({ do: 'http', port: ADMIN_PORT, path: '/flows' });
  const found = explanationIn(body, lab.pod(FORBIDDEN).ips[0]);
  if (found !== undefined) return found;
  throw new BrokenPromise(`the sidecar of ${API} should explain the denial: ${body}`);
}

async function reportOf(agent: Agent): Promise<FlowReport> {
  const [flow] = await agent.ask({ do: 'report', group: GROUP });
  if (flow === undefined) throw new BrokenPromise('a transfer has vanished');
  return flow;
}

function paint(line: string, emphasise: Page['emphasise']): string {
  return line
    .replaceAll('connected', emphasise('green', 'connected'))
    .replaceAll('denied', emphasise('red', 'denied'));
}
