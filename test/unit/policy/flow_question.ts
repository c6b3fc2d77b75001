/** Asks about one flow in every way there is: from the objects, and by the tables of both ends. */

import { expect } from 'vitest';
import {
  createCompiler,
  createEvaluator,
  createJudge,
  type Direction,
  type Endpoint,
  type FlowVerdict,
  isSubject,
  objectKey,
  type Protocol,
  type Verdict,
} from '../../../policy/index.ts';
import { type ApiCluster, readCluster } from '../../builders/api_objects.ts';
import { overTheWire } from './table_updates.ts';

/** Asks about a flow. `from` and `to` are `namespace/pod` or addresses; `port` is `80`, `53/UDP`. */
export type Ask = (from: string, to: string, port: string) => FlowVerdict;

/** Makes a question of a cluster. It fails where the tables do not say the same as the objects. */
export function flowsOf(objects: ApiCluster): Ask {
  const cluster = readCluster(objects);
  const compiler = createCompiler(cluster);
  const evaluator = createEvaluator(cluster);
  const endpoint = (text: string): Endpoint => {
    const pod = cluster.pods.get(text);
    return pod === undefined ? { kind: 'address', address: text } : { kind: 'pod', pod };
  };

  function byTable(
    direction: Direction,
    subject: Endpoint,
    peer: Endpoint,
    protocol: Protocol,
    port: number,
  ) {
    const address = peer.kind === 'address' ? peer.address : peer.pod.ips[0];
    if (subject.kind === 'address' || !isSubject(subject.pod) || address === undefined) return undefined;
    // A finished pod has no address that anybody could see; it is judged by the objects only.
    if (peer.kind === 'pod' && !isSubject(peer.pod) && !peer.pod.hostNetwork) return undefined;
    const table = compiler.compile(objectKey(subject.pod.namespace, subject.pod.name), 1);
    return createJudge(overTheWire(table)).explain(
      direction,
      address,
      protocol,
      port,
      compiler.identify(address)?.pod ?? null,
    );
  }

  return (from, to, portText) => {
    const [number, protocol = 'TCP'] = portText.split('/');
    const [source, destination] = [endpoint(from), endpoint(to)];
    const flow = { source, destination, protocol: protocol as Protocol, port: Number(number) };
    const verdict = evaluator.evaluate(flow);
    const expectSame = (tableVerdict: Verdict | undefined, direct: Verdict) => {
      if (tableVerdict !== undefined) expect(tableVerdict).toEqual(direct);
    };
    expectSame(byTable('egress', source, destination, flow.protocol, flow.port), verdict.egress);
    expectSame(byTable('ingress', destination, source, flow.protocol, flow.port), verdict.ingress);
    return verdict;
  };
}
