/** Compiling a cluster as it is: a compiler, the table of one pod, the policies beyond a bound. */

import type { Cluster } from '../model.ts';
import { DEFAULT_POLICY_LIMITS, type PolicyLimits } from '../objects/index.ts';
import type { Table } from '../table/index.ts';
import { Compiler, type CompilerOptions } from './compiler.ts';
import { mayExceed } from './policy_bounds.ts';

/** Makes a compiler of a cluster. Later changes of the cluster reach it by `apply` only. */
export function createCompiler(cluster: Cluster, options: CompilerOptions = {}): Compiler {
  return new Compiler(cluster, options);
}

/** One pod's table. For the tables of many pods use `createCompiler`. Throws POD_NOT_SUBJECT. */
export function compile(cluster: Cluster, podKey: string, revision: number): Table {
  return createCompiler(cluster).compile(podKey, revision);
}

/** Policies of a cluster that are beyond a bound, by key, and which: they isolate and admit nothing. */
export function policyExcess(
  cluster: Cluster,
  limits: PolicyLimits = DEFAULT_POLICY_LIMITS,
): ReadonlyMap<string, string> {
  // Most clusters are far from every bound: then no compiler is needed.
  return mayExceed(cluster, limits) ? createCompiler(cluster, { policyLimits: limits }).excess : new Map();
}
