import { expect, test } from 'vitest';
import { ConnectionsByEnds } from '../../../../sidecar/direct/connections_by_ends.ts';
import { DirectConnection } from '../../../../sidecar/direct/direct_connection.ts';

const CUTTER = { doom() {} };

function connection(address: string, port: number, app = { address: '10.0.0.100', port: 80 }) {
  const remote = { address, port };
  return new DirectConnection(remote, app, { local: app, remote }, CUTTER);
}

test('each is found by all four of its ends, large ports included', () => {
  const live = new ConnectionsByEnds();
  const all = ['10.0.0.1', '10.0.0.2'].flatMap((address) =>
    [1, 80, 65_535].flatMap((port) =>
      ['10.0.0.100', 'fd00::100'].flatMap((own) =>
        [80, 65_535].map((ownPort) => connection(address, port, { address: own, port: ownPort })),
      ),
    ),
  );
  for (const one of all) live.add(one);
  for (const one of all) expect(live.get(one.source, one.destination)).toBe(one);
  expect(live.get({ address: '10.0.0.1', port: 2 }, { address: '10.0.0.100', port: 80 })).toBeUndefined();
  expect(new Set(live)).toEqual(new Set(all));
  expect([...live.of('10.0.0.1', 80)]).toHaveLength(6);
  for (const one of all) expect(live.remove(one)).toBe(true);
  expect([live.size, ...live]).toEqual([0]);
});

test('of two with the same ends the older one is found and removed first', () => {
  const live = new ConnectionsByEnds();
  const [older, newer] = [connection('10.0.0.1', 1), connection('10.0.0.1', 1)];
  live.add(older);
  live.add(newer);
  expect(live.remove(newer)).toBe(false);
  expect(live.remove(older)).toBe(true);
  expect(live.get(newer.source, newer.destination)).toBe(newer);
  expect(live.remove(older)).toBe(false);
  expect(live.remove(newer)).toBe(true);
});
