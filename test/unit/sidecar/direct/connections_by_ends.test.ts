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

test('of those with the same ends the oldest is found, and each can be removed', () => {
  const [oldest, middle, newest] = [1, 1, 1].map((port) => connection('10.0.0.1', port)) as [
    DirectConnection,
    DirectConnection,
    DirectConnection,
  ];
  const found = (live: ConnectionsByEnds) => live.get(oldest.source, oldest.destination);
  const live = new ConnectionsByEnds();
  for (const one of [oldest, middle, newest]) live.add(one);
  expect(live.remove(middle)).toBe(true);
  expect([live.remove(middle), live.size, found(live)]).toEqual([false, 2, oldest]);
  expect(live.remove(oldest)).toBe(true);
  expect([live.remove(oldest), live.size, found(live)]).toEqual([false, 1, newest]);
  expect(live.remove(newest)).toBe(true);
  expect([live.remove(newest), live.size, ...live]).toEqual([false, 0]);
});
