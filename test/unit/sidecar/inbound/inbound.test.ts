import { expect, test } from 'vitest';
import { acceptInbound } from '../../../../sidecar/inbound/inbound.ts';
import type { FlowFacts } from '../../../../sidecar/records/flow_record.ts';
import type { Connection } from '../../../../sidecar/relay/relay.ts';
import { Enforcement } from '../../../../sidecar/table/enforcement.ts';
import { LiveTable } from '../../../../sidecar/table/live_table.ts';
import { table } from '../../../builders/tables.ts';

const ALLOWED = '10.0.0.1';
const DENIED = '10.0.0.2';

/** What is recorded of a connection that sent 9 bytes, if it was dialled, and how it was answered. */
function recorded(address: string, admitted: boolean): { facts: FlowFacts | undefined; answer: string[] } {
  const live = new LiveTable();
  const enforcement = new Enforcement(live);
  enforcement.replace(table({ revision: 1, allowed: [ALLOWED] }));
  const answer: string[] = [];
  const connection: Connection = {
    family: 4,
    source: { address, port: 40_000 },
    destination: { address: '10.0.0.100', port: 80 },
    admitted,
    admit: () => answer.push('admit'),
    resetSource: () => answer.push('resetSource'),
    reset: () => answer.push('reset'),
    finish: () => answer.push('finish'),
    progress: () => ({ relaying: admitted, fromSource: 9, toSource: 0 }),
  };
  let facts: FlowFacts | undefined;
  const owner = acceptInbound(connection, {
    enforcement,
    live,
    connectionLimit: 10,
    inboundPort: 15_006,
    canaryPort: 15_020,
    adminPort: 15_021,
    recorder: {
      flow(one) {
        facts = one;
      },
    },
    canary: { arrived() {} },
    backlogs: { dialled() {} },
    failures: { dialFailed() {} },
    metrics: { verdictTaken() {} },
  });
  const reset = answer.includes('reset');
  owner.ended({ end: reset ? 'reset' : 'closed', fromSource: admitted ? 9 : 0, toSource: 0, durationMs: 1 });
  expect(live.size).toBe(0);
  return { facts, answer };
}

test('a denied connection is refused before anything reaches the app', () => {
  const { facts, answer } = recorded(DENIED, false);
  expect(answer).toEqual(['reset']);
  expect(facts).toMatchObject({ end: 'refused', verdict: { verdict: 'deny' }, bytesReceived: 0 });
});

test('one that was admitted from memory, and that the table denies by now, is recorded as cut', () => {
  const { facts, answer } = recorded(DENIED, true);
  expect(answer).toEqual(['reset']);
  expect(facts).toMatchObject({ end: 'policy-changed', verdict: { verdict: 'deny' }, bytesReceived: 9 });
});

test('an allowed one is admitted, and recorded with its own end', () => {
  const { facts, answer } = recorded(ALLOWED, false);
  expect(answer).toEqual(['admit']);
  expect(facts).toMatchObject({ end: 'closed', verdict: { verdict: 'allow' } });
});
