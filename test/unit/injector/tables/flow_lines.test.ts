import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FlowSink } from '../../../../injector/tables/index.ts';
import { flowsLine, MAX_FLOWS_LINE_BYTES } from '../../../../policy/index.ts';
import { pod } from '../../../builders/injector_manifests.ts';
import { type Entrance, RunningInjector } from '../running_injector.ts';
import { waitFor } from '../wait_for.ts';

/** What a sidecar may send at once, bytes. */
const BURST = 1024 * 1024;

/** A line of so many bytes. */
function lineOf(bytes: number, sum = 7): string {
  const empty = flowsLine(sum, '').length;
  return flowsLine(sum, 'f'.repeat(bytes - empty));
}

describe.each<Entrance>(['unix socket', 'TLS'])('lines of flows over %s', (entrance) => {
  let injector: RunningInjector;
  let taken: string[];
  let dropped: string[];
  const flows: FlowSink = {
    take: ({ namespace, name }, line) => taken.push(`${namespace}/${name} ${Buffer.from(line)}`),
    dropped: ({ namespace, name }, sum, why) => dropped.push(`${namespace}/${name} ${sum} ${why}`),
  };

  beforeEach(async () => {
    [taken, dropped] = [[], []];
    injector = new RunningInjector(entrance);
    injector.dir.write('pods.yaml', pod('web', '10.0.0.1'), pod('api', '10.0.0.2'));
    await injector.start({ flows });
  });
  afterEach(() => injector.close());

  test('reach the collector with the pod of their session, unparsed', async () => {
    const [web, api] = [await injector.sidecar('shop/web'), await injector.sidecar('shop/api')];
    web.sendText(`${flowsLine(1, 'no JSON')}\n${flowsLine(2, '{}')}\n`);
    await waitFor(() => taken.length === 2);
    api.sendText(`${flowsLine(3, '{}')}\n`);
    await waitFor(() => taken.length === 3);
    expect(taken).toEqual([
      `shop/web ${flowsLine(1, 'no JSON')}`,
      `shop/web ${flowsLine(2, '{}')}`,
      `shop/api ${flowsLine(3, '{}')}`,
    ]);
  });

  test('that are too long are dropped and counted, and what comes behind them is served', async () => {
    const web = await injector.sidecar('shop/web');
    web.sendText(`${lineOf(3 * MAX_FLOWS_LINE_BYTES, 12)}\n${flowsLine(1, '{}')}\n`);
    web.send({ type: 'identify', address: '10.0.0.2' });
    await waitFor(() => web.types.includes('identity'));
    expect(dropped).toEqual(['shop/web 12 size']);
    expect(taken).toEqual([`shop/web ${flowsLine(1, '{}')}`]);
    expect(web.closed).toBe(false);
  });

  test('beyond the rate of a pod are dropped and counted, also on its next connection', async () => {
    const web = await injector.sidecar('shop/web');
    const line = lineOf(MAX_FLOWS_LINE_BYTES);
    const atOnce = BURST / MAX_FLOWS_LINE_BYTES;
    web.sendText(`${line}\n`.repeat(atOnce + 4));
    await waitFor(() => taken.length + dropped.length === atOnce + 4);
    // A few seconds earn less than one more.
    expect(taken.length).toBeGreaterThanOrEqual(atOnce);
    expect(dropped.length).toBeGreaterThan(0);
    expect(new Set(dropped)).toEqual(new Set(['shop/web 7 rate']));
    const before = dropped.length;
    const again = await injector.sidecar('shop/web');
    const api = await injector.sidecar('shop/api');
    again.sendText(`${line}\n${line}\n`);
    await waitFor(() => dropped.length > before);
    api.sendText(`${line}\n`);
    await waitFor(() => taken.at(-1) === `shop/api ${line}`);
  });

  test('are refused before a hello', async () => {
    const stranger = injector.connection();
    stranger.sendText(`${flowsLine(1, '{}')}\n`);
    await waitFor(() => stranger.closed);
    expect(stranger.types).toEqual(['refused']);
    expect(taken).toEqual([]);
  });
});
