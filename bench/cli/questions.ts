/** The commands that are measured, and what is wanted of them. */
import { type ClusterSize, namespaceName, podAddress, podName } from './cluster.ts';
import type { Inputs } from './inputs.ts';

/** One command, on files or on the double. */
export interface Question {
  readonly name: string;
  /** What follows `sluice`. */
  readonly argv: readonly string[];
  /** Most that it may take; of time it is the wall's, on a machine with nothing else to do. */
  readonly wanted: { readonly seconds: number; readonly mebibytes?: number };
}

/** Of what answers a question of somebody who waits. */
const ANSWER = { seconds: 5 };

/** Of what looks at everything. */
const EVERYTHING = { seconds: 30, mebibytes: 1024 };

/** All of them. */
export function questions(inputs: Inputs, size: ClusterSize): readonly Question[] {
  const files = ['-f', inputs.dump, '-f', inputs.policies];
  const live = ['--kubeconfig', inputs.kubeconfig];
  const asked = Math.min(7, size.namespaces - 1);
  const namespace = namespaceName(asked);
  const from = `${namespaceName(0)}/${podName(0, 'web', size)}`;
  const to = `${namespace}/deploy/api`;
  const address = podAddress(size.replicas * 11);
  const one = (name: string, wanted: Question['wanted'], ...argv: readonly string[]): Question => ({
    name,
    argv,
    wanted,
  });
  const both = (
    name: string,
    wanted: Question['wanted'],
    ...argv: readonly string[]
  ): readonly Question[] => [
    one(`${name}, files`, wanted, ...argv, ...files),
    one(`${name}, live`, wanted, ...argv, ...live),
  ];
  return [
    ...both('can', ANSWER, 'can', from, to, '9090'),
    ...both('can, address', ANSWER, 'can', from, address, '9090'),
    ...both('describe', ANSWER, 'describe', 'deploy/api', '-n', namespace),
    ...both('graph', EVERYTHING, 'graph', '--focus', `${namespace}/deploy/api`, '-o', 'json'),
    one('lint, files', EVERYTHING, 'lint', ...files),
    one('lint, live', EVERYTHING, 'lint', '-A', ...live),
    one('diff, files', EVERYTHING, 'diff', inputs.policies, inputs.edited, '-f', inputs.dump),
    one('diff, live', EVERYTHING, 'diff', 'cluster', inputs.edited, ...live, '-A'),
  ];
}
