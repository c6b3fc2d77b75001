/** Parts of frames that come packed say what they say unpacked; what cannot be unpacked is refused. */
import { expect, it } from 'vitest';
import { pack, unpack } from '../../../../common/pack.ts';
import { readInjectorFrame } from '../../../../policy/index.ts';

const packed = (value: unknown) => ({ packed: pack(Buffer.from(JSON.stringify(value))) });

const SUBJECT = {
  namespace: 'shop',
  name: 'api',
  uid: 'u',
  ips: [],
  nodeIPs: [],
  ports: [],
  workload: 'pod/api',
  labels: {},
};
const GROUP = { namespace: 'shop', members: { '10.0.0.1': 'one' } };
const SERVICES = { '10.96.0.1 TCP/80': { namespace: 'shop', name: 'web', backends: [] } };
const MORE = { '10.96.0.2 UDP/53': { namespace: 'shop', name: 'dns', backends: [] } };

const table = (group: object, services: object) => ({
  schema: 2,
  revision: 2,
  subject: SUBJECT,
  policies: {},
  groups: { g: group, ['__proto__']: group },
  services,
});

it.each([
  ['snapshot', (group: object, services: object) => ({ type: 'snapshot', table: table(group, services) })],
  ['outline', (group: object, services: object) => ({ type: 'outline', outline: table(group, services) })],
  [
    'change',
    (group: object, services: object) => ({
      type: 'change',
      change: { schema: 2, from: 1, revision: 2, groups: { g: { group } }, services },
    }),
  ],
])('a %s says the same packed', (name, frame) => {
  const whole = frame(GROUP, name === 'outline' ? [SERVICES, MORE] : { ...SERVICES, ...MORE });
  const some = JSON.stringify(frame(GROUP, [packed(SERVICES), MORE]));
  expect(readInjectorFrame(JSON.parse(some), unpack)).toEqual(readInjectorFrame(whole));
});

it('a group and what changes in it may be packed', () => {
  const read = (group: object) =>
    readInjectorFrame(
      JSON.parse(JSON.stringify({ type: 'snapshot', table: table(group, SERVICES) })),
      unpack,
    );
  expect(read(packed(GROUP))).toEqual(read(GROUP));
  const change = {
    schema: 2,
    from: 1,
    revision: 2,
    groups: { g: packed({ members: { '10.0.0.1': null } }) },
  };
  expect(readInjectorFrame({ type: 'change', change }, unpack)).toMatchObject({
    change: { groups: { g: { members: { '10.0.0.1': null } } } },
  });
});

it.each([
  ['a text', ['x']],
  ['a list', [[SERVICES]]],
  ['another form', [packed({ x: 1 })]],
  ['packed twice', [packed(packed(SERVICES))]],
])('Services are refused of which a part is %s', (_, services) => {
  for (const whole of [
    { type: 'snapshot', table: table(GROUP, services) },
    { type: 'change', change: { schema: 2, from: 1, revision: 2, services } },
  ])
    expect(() => readInjectorFrame(JSON.parse(JSON.stringify(whole)), unpack)).toThrowError(
      expect.objectContaining({ code: 'TABLE_MALFORMED' }),
    );
});

it.each<[string, object]>([
  ['no base64 and no frame of Zstandard', { packed: '!' }],
  ['nothing', { packed: '' }],
  ['no JSON', { packed: pack(Buffer.from('{')) }],
  ['another form', packed({ members: { x: 'u' } })],
  ['packed twice', packed(packed(GROUP))],
  ['longer than a frame may be', { packed: pack(Buffer.alloc(70 * 1024 * 1024, 0x20)) }],
])('a part is refused that is %s', (_, group) => {
  expect(() => readInjectorFrame({ type: 'snapshot', table: table(group, SERVICES) }, unpack)).toThrowError(
    expect.objectContaining({ code: 'TABLE_MALFORMED' }),
  );
});

it('a packed part is refused by who does not unpack', () => {
  const frame = { type: 'snapshot', table: table(GROUP, [packed(SERVICES)]) };
  expect(() => readInjectorFrame(frame)).toThrowError(expect.objectContaining({ code: 'TABLE_MALFORMED' }));
});
