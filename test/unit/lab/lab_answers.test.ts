/** What a lab reads back: its own state, its injector's status, its agents' lines. Another form is one clear error. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { explanationIn } from '../../../cli/demo/recorded_flows.ts';
import type { FlowRecord } from '../../../flows/index.ts';
import { AGENT_ANSWERS, agentRequest, answerLine } from '../../../lab/agent/protocol.ts';
import { labPaths } from '../../../lab/names/index.ts';
import { annotatedEnvironment } from '../../../lab/objects/annotations.ts';
import { objectFile } from '../../../lab/objects/store.ts';
import { readServerStatus } from '../../../lab/pods/injector_client.ts';
import { type LabState, readState, tryReadState, writeState } from '../../../lab/state/state.ts';
import { manifestDirectory } from '../../builders/cli_manifests.ts';

const STATE: LabState = {
  name: 'odd',
  createdAt: '2026-01-01T00:00:00Z',
  phase: 'up',
  topology: {
    lab: 'odd',
    nodes: [{ name: 'a', index: 1, netns: 'n', addresses: ['192.0.2.1'] }],
    pods: [
      {
        key: 'shop/api',
        namespace: 'shop',
        name: 'api',
        netns: 'p',
        node: 'a',
        ips: ['10.0.0.1'],
        ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
        hostNetwork: false,
      },
    ],
    outside: { netns: 'o', addresses: [] },
  },
  external: [],
  sidecarEnv: { SLUICE_DENY: 'reset' },
  foreignControlPlane: true,
  injector: { pid: 7, startTime: '1' },
  processes: { 'shop/api': { sidecar: { pid: 8, startTime: '2' } } },
};

beforeEach(() => {
  vi.stubEnv('SLUICE_LAB_DIR', manifestDirectory());
  mkdirSync(labPaths('odd').folder, { recursive: true });
});

describe('state.json', () => {
  test('is read as it was written', () => {
    writeState(labPaths('odd'), STATE);
    expect(readState('odd')).toEqual(STATE);
  });

  test.each([
    ['{', 'the state is not JSON'],
    ['[]', 'the state must be an object, is a list'],
    [JSON.stringify({ ...STATE, phase: 'down' }), 'the state.phase must be "starting" or "up", is "down"'],
    [
      JSON.stringify({ ...STATE, processes: { 'shop/api': { app: { pid: '8', startTime: '2' } } } }),
      'the state.processes["shop/api"].app.pid must be a whole number from 1',
    ],
    [JSON.stringify({ ...STATE, later: 1 }), 'the state.later is a field this version does not know'],
  ])('%s is refused with the way out', (json, problem) => {
    const paths = labPaths('odd');
    writeFileSync(paths.state, json);
    expect(() => readState('odd')).toThrow(
      expect.objectContaining({
        code: 'LAB_STATE_INVALID',
        message: expect.stringContaining(`${paths.state}: ${problem}`),
      }),
    );
    expect(() => readState('odd')).toThrow('`sluice lab down --name odd` removes it');
    expect(tryReadState(paths)).toBeUndefined();
  });
});

test('a manifest that somebody broke is named', () => {
  const paths = labPaths('odd');
  const file = objectFile(paths, { kind: 'Pod', key: 'shop/api' });
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, '[]');
  expect(() => annotatedEnvironment(paths, 'shop/api')).toThrow(
    expect.objectContaining({
      code: 'LAB_MANIFESTS_INVALID',
      message: `${file}: the manifest must be an object, is a list; write the object with \`sluice lab apply\`, not by hand`,
    }),
  );
});

describe('the status of the injector', () => {
  const sidecar = { namespace: 'a', pod: 'b', connected: true, revision: 1, enforced: null, warnings: [] };
  const status = { revision: 1, problems: [], sidecars: [sidecar], waiting: [{ pod: 'a/c', message: 'm' }] };

  test('is taken, and what it says more', () => {
    const more = { ...status, uninjected: [] };
    expect(readServerStatus(JSON.stringify(more))).toEqual(more);
  });

  test.each([
    ['', 'the status is not JSON'],
    [JSON.stringify({ ...status, sidecars: undefined }), 'the status.sidecars is missing'],
    [
      JSON.stringify({ ...status, sidecars: [{ ...sidecar, enforced: '1' }] }),
      'the status.sidecars[0].enforced must be a whole number',
    ],
  ])('of the form %j is refused', (json, problem) => {
    expect(() => readServerStatus(json)).toThrow(
      expect.objectContaining({ code: 'LAB_ANSWER_INVALID', message: expect.stringContaining(problem) }),
    );
  });
});

test('the demo reads the records of a sidecar, or says why not', () => {
  const flow = (addr: string, verdict: 'allow' | 'deny', explanation?: string): FlowRecord => ({
    time: '2026-11-30T10:00:00.000Z',
    direction: 'ingress',
    verdict,
    reason: verdict === 'allow' ? 'not-isolated' : 'no-rule',
    end: 'closed',
    protocol: 'TCP',
    src: { addr },
    dst: { addr: '10.0.0.9' },
    mode: 'enforce',
    revision: 1,
    ...(explanation === undefined ? {} : { explanation }),
  });
  const page = [
    flow('10.0.0.1', 'deny', 'why'),
    flow('10.0.0.1', 'allow'),
    flow('10.0.0.2', 'deny', 'not this'),
  ];
  expect(explanationIn(JSON.stringify(page), '10.0.0.1')).toBe('why');
  expect(() => explanationIn('[{"src":{}}]', '10.0.0.1')).toThrow(
    'the sidecar cannot be understood: its page /flows[0].time is missing; sidecar and demo have to be',
  );
});

describe('lines between an agent and its user', () => {
  test.each<[unknown, string]>([
    [
      { do: 'jump' },
      '.do must be one of connect, datagram, listen, http, open, report, finish, close, reset',
    ],
    [{ do: 'report' }, '.group is missing'],
    [{ do: 'connect', address: '10.0.0.1', port: 80, timeout: 5 }, '.timeout is a field'],
    [
      { do: 'open', group: 'g', count: 1, address: 'a', port: 1, work: { kind: 'send' } },
      '.work.bytes is missing',
    ],
  ])('the request %j is refused', (request, problem) => {
    const refuse = (text: string): Error => new Error(text);
    expect(() => agentRequest.read(request, 'request', refuse)).toThrow(`request${problem}`);
  });

  test('an answer is checked by what was asked', () => {
    const flow = { state: 'open', receivedBytes: 1, sentBytes: 0 };
    expect(AGENT_ANSWERS.report.holds([flow])).toBe(true);
    expect(AGENT_ANSWERS.report.check([{ ...flow, state: 'lost' }])?.path).toBe('[0].state');
    expect(AGENT_ANSWERS.http.check([flow])?.text).toBe('must be an object, is a list');
    expect(answerLine.check({ id: 1, result: [], took: 3 })?.path).toBe('.took');
  });
});
