import { expect, test } from 'vitest';
import { createJudge } from '../../../../policy/index.ts';
import { RememberingJudge } from '../../../../sidecar/table/flow_judge.ts';
import { LiveTable } from '../../../../sidecar/table/live_table.ts';
import { table } from '../../../builders/tables.ts';

/** A judge that notes what it is asked. */
function countedJudge() {
  const judge = createJudge(table({ revision: 1, allowed: ['10.0.0.2'] }));
  const asked: string[] = [];
  const counted: Parameters<LiveTable['reevaluate']>[0] = {
    judge(direction, peer, protocol, port) {
      asked.push(`${direction} ${peer} ${protocol} ${port}`);
      return judge.judge(direction, peer, protocol, port);
    },
    isUnsure: (...question) => judge.isUnsure(...question),
    tag: (peer) => judge.tag(peer),
  };
  return { judge, counted, asked };
}

test('the flows of a source to a port are judged once', () => {
  const { counted, asked } = countedJudge();
  const live = new LiveTable();
  const ended: string[] = [];
  const register = (peer: string, port: number): void =>
    live.register({
      path: 'proxy',
      sourceAddress: peer,
      revoked(judge) {
        const verdict = judge.judge('ingress', peer, 'TCP', port);
        return verdict.verdict === 'deny' ? { cause: 'policy-changed', verdict } : undefined;
      },
      resetSource: () => undefined,
      cut: () => ended.push(`${peer} ${port}`),
      drain: () => undefined,
      view: () => peer,
    });
  for (let flow = 0; flow < 100; flow += 1)
    for (const peer of ['10.0.0.1', '10.0.0.2']) register(peer, flow % 2 === 0 ? 80 : 443);
  expect(live.reevaluate(counted)).toBe(100);
  expect(asked).toEqual([
    'ingress 10.0.0.1 TCP 80',
    'ingress 10.0.0.1 TCP 443',
    'ingress 10.0.0.2 TCP 80',
    'ingress 10.0.0.2 TCP 443',
  ]);
  expect(ended.filter((one) => one.startsWith('10.0.0.2'))).toEqual([]);
});

test('what is remembered is what the judge says, in any order of questions', () => {
  const { judge, counted } = countedJudge();
  const remembering = new RememberingJudge(counted);
  for (let round = 0; round < 3; round += 1)
    for (const peer of ['10.0.0.1', '10.0.0.2', '10.0.0.1'])
      for (const protocol of ['TCP', 'UDP'] as const)
        for (const direction of ['ingress', 'egress'] as const)
          for (const port of [80, 443]) {
            const question = [direction, peer, protocol, port] as const;
            expect(remembering.judge(...question)).toEqual(judge.judge(...question));
            expect(remembering.isUnsure(...question)).toBe(judge.isUnsure(...question));
            expect(remembering.tag(peer)).toBe(judge.tag(peer));
          }
});
