/** A table in outline stands for the table: what a sidecar holds is taken, and exactly what it lacks is asked for. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../../../common/digest.ts';
import { PersistentMap } from '../../../../common/persistent_map.ts';
import { atOnce } from '../../../../common/steps.ts';
import {
  type AddressGroup,
  PartDigests,
  type PartName,
  partNames,
  readInjectorFrame,
  resolveOutline,
  type Table,
  type TableOutline,
  tableJson,
} from '../../../../policy/index.ts';
import { outlineOf } from '../../../builders/table_frames.ts';
import { asJson, expectSameTable, overTheWire } from '../table_updates.ts';
import { history, tablesOf } from './histories.ts';

/** Far above what the runs take, for a machine with other work to do. */
const PROPERTY_TIMEOUT_MS = 180_000;

function outlineOverTheWire(outline: TableOutline): TableOutline {
  const frame = readInjectorFrame(asJson({ type: 'outline', outline }));
  if (frame.type !== 'outline') throw new Error(`a ${frame.type} came of an outline`);
  return frame.outline;
}

/** A part as plain data. */
function partOf(table: Table, { kind, key }: PartName): unknown {
  const { policies, groups } = tableJson(table);
  if (kind === 'services') return new Map(new Map(table.services.shards()).get(key));
  return kind === 'policy' ? policies[key] : groups[key];
}

const shardsOf = ({ services }: Table) => [...services.shards()].map(([, shard]) => shard);

/** The parts of a table that no part of the same kind in another table is equal to: every two are compared. */
function lackingIn(held: Table, table: Table): PartName[] {
  return partNames(table).filter((name) => {
    const wanted = partOf(table, name);
    return !partNames(held).some(
      (other) => other.kind === name.kind && isDeepStrictEqual(partOf(held, other), wanted),
    );
  });
}

it(
  'becomes the table once the parts that it lacks have come, and shares the others with what is held',
  () => {
    fc.assert(
      fc.property(history, fc.boolean(), (past, sharing) => {
        if (past === undefined) return;
        const [before, after] = tablesOf(past, sharing);
        if (before === undefined || after === undefined) return;
        // Each end works out digests by itself.
        const [injector, sidecar] = [new PartDigests(digestOf), new PartDigests(digestOf)];
        const held = overTheWire(before);
        const lacking = lackingIn(held, after);
        const names = partNames(after);
        const first = resolveOutline(outlineOverTheWire(outlineOf(after, injector)), held, sidecar);
        expect(first.kind === 'missing' ? first.parts.map((number) => names[number]) : []).toEqual(lacking);
        const isWhole = (name: PartName) => lacking.some((one) => isDeepStrictEqual(one, name));
        const second = resolveOutline(outlineOverTheWire(outlineOf(after, injector, isWhole)), held, sidecar);
        if (second.kind === 'missing') throw new Error('it wants more than it lacked');
        expectSameTable(second.table, after);
        expectSameTable(held, before);
        const { policies, groups, ingress, egress } = second.table;
        const parts = new Set<unknown>([
          ...held.policies.values(),
          ...held.groups.values(),
          ...shardsOf(held),
        ]);
        const shared = [...policies.values(), ...groups.values(), ...shardsOf(second.table)].filter((part) =>
          parts.has(part),
        );
        expect(shared.length).toBe(names.length - lacking.length);
        if (isDeepStrictEqual(ingress, held.ingress)) expect(ingress).toBe(held.ingress);
        if (isDeepStrictEqual(egress, held.egress)) expect(egress).toBe(held.egress);
      }),
      { numRuns: 60 },
    );
  },
  PROPERTY_TIMEOUT_MS,
);

it('is all missing where nothing is held', () => {
  fc.assert(
    fc.property(history, (past) => {
      const [table] = past === undefined ? [] : tablesOf(past, true);
      if (table === undefined || partNames(table).length === 0) return;
      const digests = new PartDigests(digestOf);
      expect(resolveOutline(outlineOf(table, digests), undefined, digests)).toEqual({
        kind: 'missing',
        parts: partNames(table).map((_, number) => number),
      });
      expect(
        resolveOutline(
          outlineOf(table, digests, () => true),
          undefined,
          digests,
        ).kind,
      ).toBe('table');
    }),
    { numRuns: 20 },
  );
});

describe('the digest of a group', () => {
  const digests = new PartDigests((text) => text);
  const digestOfGroup = (group: AddressGroup) => atOnce(digests.group(group));
  const http = [{ name: 'http', port: 80, protocol: 'TCP' as const }];
  const members = Array.from({ length: 200 }, (_, i): [string, string] => [`10.0.0.${i}`, `u${i}`]);

  it('does not depend on how its members came', () => {
    const grown = members.reduce((map, one) => map.with([one]), PersistentMap.from<string>([]));
    const of = (map: PersistentMap<string>) => digestOfGroup({ namespace: 'shop', members: map });
    expect(of(grown)).toBe(of(PersistentMap.from([...members].reverse())));
  });

  it('depends on selectors, members, tags and ports', () => {
    const one = PersistentMap.from(members.slice(0, 2));
    const ports = PersistentMap.from([['10.0.0.0', http]]);
    const all = [
      digestOfGroup({ namespace: 'shop', members: one }),
      digestOfGroup({ namespace: 'other', members: one }),
      digestOfGroup({ namespace: 'shop', members: one.with([['10.0.0.0', 'again']]) }),
      digestOfGroup({ namespace: 'shop', members: one.with([['10.0.0.0', undefined]]) }),
      digestOfGroup({ namespace: 'shop', members: one, ports: PersistentMap.from<typeof http>([]) }),
      digestOfGroup({ namespace: 'shop', members: one, ports }),
      digestOfGroup({ namespace: 'shop', members: one, ports: ports.with([['10.0.0.0', []]]) }),
    ];
    expect(new Set(all).size).toBe(all.length);
  });
});

describe('an outline is refused', () => {
  const subject = {
    namespace: 'shop',
    name: 'api',
    uid: 'u',
    ips: [],
    nodeIPs: [],
    ports: [],
    workload: 'pod/api',
    labels: {},
  };
  const outline = { schema: 2, revision: 1, subject, policies: {}, groups: {}, services: [] } as const;
  const resolved = (more: object) =>
    resolveOutline(
      outlineOverTheWire({ ...outline, ...more } as TableOutline),
      undefined,
      new PartDigests(digestOf),
    );
  const policy = {
    policy: { namespace: 'shop', name: 'a' },
    ingress: [{ index: 0, ports: [], peers: [{ kind: 'group', group: 'g' }] }],
  };

  it.each<[string, object, string]>([
    [
      'names a missing group',
      { policies: { 'shop/a': policy } },
      'ingress[0].peers[0].group names a missing group',
    ],
    [
      'has a policy under another name',
      { policies: { 'shop/b': policy }, groups: { g: { members: {} } } },
      'policies["shop/b"] is the policy shop/a',
    ],
    ['has a number for a part', { groups: { g: 1 } }, 'groups["g"] must be an object'],
    ['is of another schema', { schema: 1 }, 'schema must be 2'],
    ['has a part of another form', { groups: { g: { members: { x: 'u' } } } }, 'is not a canonical address'],
  ])('that %s', (_, more, message) => {
    expect(() => resolved(more)).toThrowError(
      expect.objectContaining({ code: 'TABLE_MALFORMED', message: expect.stringContaining(message) }),
    );
  });

  it('and is taken where all fits', () => {
    expect(resolved({ policies: { 'shop/a': policy }, groups: { g: { members: {} } } }).kind).toBe('table');
  });
});
