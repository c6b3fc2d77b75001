/** Every conformance case, evaluated directly and through the compiled tables of both ends. */

import { describe, expect, it } from 'vitest';
import {
  type Cluster,
  type Compiler,
  createCompiler,
  createEvaluator,
  createJudge,
  type Direction,
  type Endpoint,
  isSubject,
  type Judge,
  objectKey,
  readInjectorFrame,
  readInjectorFrameV1,
  type Table,
  tableFromV1,
  tableJson,
  tableOf,
  tableToV1,
} from '../../policy/index.ts';
import { type Case, type CaseProbe, caseCluster, probeEndpoint, readCases } from './case.ts';

function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** How a table comes from an injector to a sidecar, by the number of the schema that both speak. */
const WIRES: Readonly<Record<number, (table: Table, compiler: Compiler) => Table>> = {
  2: (table) => {
    const frame = readInjectorFrame(asJson({ type: 'snapshot', table: tableJson(table) }));
    if (frame.type !== 'snapshot') throw new Error(`a ${frame.type} came of a snapshot`);
    return tableOf(frame.table);
  },
  1: (table, { directory }) => {
    const frame = readInjectorFrameV1(asJson({ type: 'snapshot', table: tableToV1(table, directory) }));
    if (frame.type !== 'snapshot') throw new Error(`a ${frame.type} came of a snapshot`);
    return tableFromV1(frame.table);
  },
};

const SCHEMAS = Object.keys(WIRES).map(Number);

/** Judges flows of a cluster as sidecars do: each end by its own table, which went over the wire as JSON. */
class Tables {
  readonly #cluster: Cluster;
  readonly #judges = new Map<string, Judge>();

  constructor(cluster: Cluster, schema: number) {
    this.#cluster = cluster;
    const compiler = createCompiler(cluster);
    const overTheWire = WIRES[schema];
    if (overTheWire === undefined) throw new Error(`there is no schema ${schema}`);
    for (const [key, pod] of cluster.pods) {
      if (!isSubject(pod)) continue;
      this.#judges.set(key, createJudge(overTheWire(compiler.compile(key, 1), compiler)));
    }
  }

  #allows(direction: Direction, subject: Endpoint, peer: Endpoint, { protocol, port }: CaseProbe): boolean {
    if (subject.kind === 'address') return true;
    const judge = this.#judges.get(objectKey(subject.pod.namespace, subject.pod.name));
    const address = peer.kind === 'address' ? peer.address : (peer.pod.ips[0] ?? '');
    return judge === undefined || judge.judge(direction, address, protocol, port).verdict === 'allow';
  }

  allows(probe: CaseProbe): boolean {
    const from = probeEndpoint(this.#cluster, probe.from);
    const to = probeEndpoint(this.#cluster, probe.to);
    return this.#allows('egress', from, to, probe) && this.#allows('ingress', to, from, probe);
  }
}

/** The probes whose verdict is not the expected one, as text. */
function wrongProbes(one: Case, allows: (probe: CaseProbe) => boolean): string[] {
  return one.probes
    .filter((probe) => allows(probe) !== probe.allowed)
    .map(
      ({ from, to, port, protocol, allowed }) => `${from} to ${to} ${protocol}/${port}: ${allowed} expected`,
    );
}

function directWrong(one: Case): string[] {
  const cluster = caseCluster(one);
  const evaluator = createEvaluator(cluster);
  return wrongProbes(one, ({ from, to, protocol, port }) => {
    const [source, destination] = [probeEndpoint(cluster, from), probeEndpoint(cluster, to)];
    return evaluator.evaluate({ source, destination, protocol, port }).verdict === 'allow';
  });
}

function tableWrong(one: Case, schema: number): string[] {
  const tables = new Tables(caseCluster(one), schema);
  return wrongProbes(one, (probe) => tables.allows(probe));
}

const cases = readCases();

it('finds the cases', () => {
  expect(cases.length).toBeGreaterThan(100);
  expect(cases.every((one) => one.probes.length > 0)).toBe(true);
});

describe.each(cases.filter((one) => one.contested !== true))('$name', (one) => {
  it('is judged as expected from the objects', () => expect(directWrong(one)).toEqual([]));
  it.each(SCHEMAS)('is judged as expected by the tables of both ends, in schema %i', (schema) =>
    expect(tableWrong(one, schema)).toEqual([]),
  );
});

// The API leaves these open, so an unexpected verdict is printed, not failed; both ways must still say the same.
describe.each(cases.filter((one) => one.contested === true))('contested: $name', (one) => {
  it.each(SCHEMAS)('is judged the same from the objects and by the tables, in schema %i', (schema) => {
    const wrong = directWrong(one);
    if (wrong.length > 0) process.stdout.write(`contested case ${one.name} differs: ${wrong.join('; ')}\n`);
    expect(tableWrong(one, schema)).toEqual(wrong);
  });
});
