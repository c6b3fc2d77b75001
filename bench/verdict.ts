/**
 * What a verdict costs with 1,000 rules and 10,000 peers: the judge that the proxy asks, with sources and ports in random
 * order, allowed and denied. Prints one JSON document: microseconds, of all verdicts together and of each kind; and what a
 * change of one group's members costs until the first verdict by the new table.
 */
import { applyChange, createJudge, type Judge, TABLE_SCHEMA, type Table } from '../policy/index.ts';
import { largeTable } from './large_table.ts';

const VERDICTS = 200_000;
const CHANGES = 50;
const US_PER_MS = 1000;

const table = largeTable();
const addresses = [...table.groups.values()].flatMap(({ members }) => [...members.keys()]);

/** A repeatable order, so that two runs compare. */
let state = 1;
function random(below: number): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((state / 2 ** 32) * below); // the low bits of such a sequence are not random
}

function percentiles(figures: readonly number[]) {
  const sorted = figures.toSorted((a, b) => a - b);
  const at = (share: number) =>
    Math.round((sorted[Math.floor(sorted.length * share)] ?? Number.NaN) * 100) / 100;
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), p999: at(0.999) };
}

function measure(judge: Judge) {
  const allow: number[] = [];
  const deny: number[] = [];
  for (let i = 0; i < VERDICTS; i += 1) {
    const known = random(10) > 0;
    const address = known ? (addresses[random(addresses.length)] ?? '') : `192.0.2.${random(256)}`;
    // Half the time a port of a rule of the peer's group, if it has any.
    const group = Number(address.split('.')[1]) - 1;
    const port = 1000 + (random(2) === 0 ? group + 100 * random(10) : random(2_000));
    const before = performance.now();
    const { verdict } = judge.judge('ingress', address, 'TCP', port);
    (verdict === 'allow' ? allow : deny).push((performance.now() - before) * US_PER_MS);
  }
  return { all: percentiles([...allow, ...deny]), allow: percentiles(allow), deny: percentiles(deny) };
}

function changes(first: Table) {
  const figures: number[] = [];
  let current = first;
  for (let i = 0; i < CHANGES; i += 1) {
    const [address] = addresses;
    if (address === undefined) break;
    const members = { [address]: i % 2 === 0 ? null : 'another pod' };
    const before = performance.now();
    current = applyChange(current, {
      schema: TABLE_SCHEMA,
      from: current.revision,
      revision: current.revision + 1,
      groups: { g0: { members } },
    }).table;
    createJudge(current).judge('ingress', address, 'TCP', 1000);
    figures.push((performance.now() - before) * US_PER_MS);
  }
  return percentiles(figures);
}

const judge = createJudge(table);
measure(judge); // until the compiler has settled
console.log(JSON.stringify({ unit: 'us', verdict: measure(judge), change: changes(table) }, null, 1));
