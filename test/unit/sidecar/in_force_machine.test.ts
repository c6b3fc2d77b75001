import type { Logger } from 'pino';
import { expect, test } from 'vitest';
import { TransitionLog } from '../../../sidecar/in_force/log.ts';
import { InForceMachine } from '../../../sidecar/in_force/machine.ts';

test('followers hear each transition in the order in which they came, and the state has changed by then', () => {
  const inForce = new InForceMachine();
  const heard: string[] = [];
  for (const name of ['log', 'effects']) {
    inForce.follow({
      moved: (before, after) =>
        heard.push(
          `${name}: ${before.redirect.state} to ${after.redirect.state}, ${inForce.state === after}`,
        ),
    });
  }
  inForce.happened({ event: 'redirect', problem: undefined });
  expect(heard).toEqual(['log: unchecked to intact, true', 'effects: unchecked to intact, true']);
});

test('readiness is the names of what blocks, read from the state', () => {
  const inForce = new InForceMachine();
  expect(inForce.blockers.map(({ name }) => name)).toEqual(['table', 'redirect']);
  inForce.happened({ event: 'redirect', problem: undefined });
  expect(inForce.blockers.map(({ name }) => name)).toEqual(['table']);
});

test('the state says what the proxy listens on; whether that leads anywhere, only the redirect can say', () => {
  const inForce = new InForceMachine();
  expect(inForce.state.proxy).toEqual({ state: 'closed' });
  inForce.happened({ event: 'listening', families: [4, 6] });
  expect(inForce.state.proxy).toEqual({ state: 'listening', families: [4, 6] });
  expect(inForce.blockers.map(({ name }) => name)).toEqual(['table', 'redirect']);
});

test('what the kernel lacks for the redirect is logged when it changes, and blocks nothing', () => {
  const inForce = new InForceMachine();
  const warnings: object[] = [];
  const log = { warn: (fields: object) => warnings.push(fields), info() {} };
  inForce.follow(new TransitionLog(log as unknown as Logger));
  inForce.happened({ event: 'redirect', problem: undefined });
  const before = inForce.blockers;
  for (const limits of [['no xt_socket'], ['no xt_socket'], []])
    inForce.happened({ event: 'redirect-verified', limits });
  expect(warnings).toEqual([{ limits: ['no xt_socket'] }, { limits: [] }]);
  expect(inForce.blockers).toEqual(before);
});
