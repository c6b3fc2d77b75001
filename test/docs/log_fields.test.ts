/** The lists of docs/reference/log-fields.md against the types of a record. A list here that lacks a word does not compile. */
import { expect, test } from 'vitest';
import type { FlowRecord } from '../../flows/index.ts';
import { FLOW_LOG_FIELDS } from '../../sidecar/records/flow_record.ts';
import { firstColumn, readPage } from './markdown.ts';

/** Whether a word is used for denials; of `Verdict` and `RefusalReason`. */
const REASONS: Readonly<Record<FlowRecord['reason'], FlowRecord['verdict']>> = {
  rule: 'allow',
  'not-isolated': 'allow',
  self: 'allow',
  'own-node': 'allow',
  'not-a-pod': 'allow',
  'no-rule': 'deny',
  'no-table': 'deny',
  capacity: 'deny',
  'reserved-port': 'deny',
  'link-local': 'deny',
  'no-backend': 'deny',
  'not-yet-allowed': 'deny',
};

const ENDS: Readonly<Record<FlowRecord['end'], true>> = {
  closed: true,
  reset: true,
  'reset-by-source': true,
  'reset-by-destination': true,
  'peer-timeout': true,
  stalled: true,
  'idle-timeout': true,
  refused: true,
  dropped: true,
  'policy-changed': true,
  'peer-replaced': true,
  'service-unresolved': true,
  'app-unreachable': true,
  drained: true,
};

/** Of a record; a log line has `level` and `msg` beside. */
const FIELDS: Readonly<Record<keyof FlowRecord, true>> = {
  time: true,
  direction: true,
  verdict: true,
  reason: true,
  end: true,
  policy: true,
  rule: true,
  isolating: true,
  near: true,
  explanation: true,
  was: true,
  protocol: true,
  src: true,
  dst: true,
  bytes_sent: true,
  bytes_recv: true,
  packets: true,
  duration_ms: true,
  path: true,
  mode: true,
  revision: true,
};

const page = readPage('docs/reference/log-fields.md');

test('log-fields.md explains every reason, with the verdict it is used for', () => {
  const rows = [...page.text.matchAll(/^\| `(?<reason>[a-z-]+)` \| (?<verdict>allow|deny) \|/gm)];
  const explained = rows.map(({ groups: { reason, verdict } = {} }) => [reason, verdict]);
  expect(explained).toEqual(Object.entries(REASONS));
});

test('log-fields.md explains every end, in order', () => {
  expect(firstColumn(page, 'end').flatMap((cell) => cell.split(', '))).toEqual(Object.keys(ENDS));
});

test('a log line has every field of a record', () => {
  const own = FLOW_LOG_FIELDS.filter((field) => field !== 'level' && field !== 'msg');
  expect(own).toEqual(Object.keys(FIELDS));
});
