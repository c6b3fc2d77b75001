/** Thousands of virtual ports in a real kernel: what is loaded is what the plan says, and a changed endpoint touches its own. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { inNetns } from '../../lab/processes/netns.ts';
import type { Table } from '../../policy/index.ts';
import { servicesTable, withBackend } from '../builders/services_table.ts';
import { addNetns, netnsName, removeNetns } from '../support/netns.ts';
import { run } from './command.ts';

const PORTS = 3_000;
const BACKENDS = 3;

const netns = netnsName();
beforeAll(() => addNetns(netns));
afterAll(() => removeNetns(netns));

const module = (path: string) => JSON.stringify(new URL(`../../${path}`, import.meta.url).href);

test('are elements, loaded without text, and changed one by one', async () => {
  const script = `
    import { Gate } from ${module('sidecar/gate/kernel/gate.ts')};
    import { servicesTable, withBackend } from ${module('test/builders/services_table.ts')};
    const states = [];
    let replaced = 0;
    const events = {
      inForce: () => states.push('in-force'),
      closed() {},
      failed: (rules, problem) => states.push(problem),
      unavailable: (rules, problem) => states.push(problem),
      beforeReplace: async () => {},
      replaced: () => (replaced += 1),
    };
    const gate = new Gate({ deny: 'drop', otherProtocols: 'drop', adminPort: 15021 }, [], events);
    const first = servicesTable(${PORTS}, ${BACKENDS});
    for (const [index, table] of [first, withBackend(first, 7, '10.9.9.9')].entries()) {
      await gate.enforce(table, index + 1);
      await gate.tried();
    }
    gate.close();
    console.log(JSON.stringify({ states, replaced }));`;
  const argv = inNetns(netns, [process.execPath, '--input-type=module', '-e', script]);
  expect(JSON.parse(await run(argv))).toEqual({ states: ['in-force', 'in-force'], replaced: 1 });
  const table = withBackend(servicesTable(PORTS, BACKENDS), 7, '10.9.9.9');
  expect(await elementsOf('services')).toHaveLength(PORTS);
  const backends = await elementsOf('backends');
  expect(new Set(backends)).toEqual(new Set(backendElements(table)));
  expect(backends).toHaveLength(PORTS * BACKENDS + 1);
  const virtual = await elementsOf('virtual');
  expect(virtual).toHaveLength(PORTS);
  expect(virtual.filter((text) => text.includes('pick_4'))).toHaveLength(1);
  const rules = await run(inNetns(netns, ['nft', 'list chain inet sluice loading']));
  expect(rules).not.toContain('drop');
});

/** Of both families, as texts. */
async function elementsOf(name: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const family of [4, 6]) {
    const kind = name === 'services' ? 'set' : 'map';
    const text = await run(inNetns(netns, ['nft', '-j', `list ${kind} inet sluice ${name}${family}`]));
    const { nftables } = JSON.parse(text) as {
      nftables: { map?: { elem?: unknown[] }; set?: { elem?: unknown[] } }[];
    };
    for (const { map, set } of nftables) {
      found.push(...((map ?? set)?.elem ?? []).map((one) => JSON.stringify(one)));
    }
  }
  return found;
}

/** As nft prints them. */
function backendElements({ services }: Table): readonly string[] {
  return [...services].flatMap(([key, { backends }]) => {
    const [address = '', protocol = '', port = ''] = key.split(/[ /]/);
    return backends.map((backend, place) =>
      JSON.stringify([
        { concat: [address, protocol.toLowerCase(), Number(port), place] },
        { concat: [backend.address, backend.port] },
      ]),
    );
  });
}
