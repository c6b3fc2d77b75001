/** Reads the two sides of a comparison. */
import { unreachable } from '../../common/errors.ts';
import type { Manifests } from '../../sources/index.ts';
import { type Input, type InputChoice, type ReadContext, readInput, wholeCluster } from '../input/index.ts';
import { CLUSTER, type DiffCommand } from './diff_options.ts';
import { applied, overlay } from './overlay.ts';

/** One side as it was read. */
export interface ReadSide {
  /** For people: the path, or which cluster. */
  readonly name: string;
  readonly manifests: Manifests;
}

/** Both. */
export interface ReadSides {
  readonly before: ReadSide;
  readonly after: ReadSide;
  /** What could not be read, and so is not known: a sentence each. */
  readonly notes: readonly string[];
}

/** @throws SluiceError those of `readInput` */
export async function readSides(command: DiffCommand, context: ReadContext): Promise<ReadSides> {
  const { before, after, common } = command;
  const cluster =
    before === CLUSTER || after === CLUSTER
      ? await readInput(command.cluster, wholeCluster, context)
      : undefined;
  const namespace = command.namespace ?? cluster?.namespace;
  const files = async (paths: readonly string[]): Promise<Manifests> => {
    const choice: InputChoice = { kind: 'files', paths, ...(namespace === undefined ? {} : { namespace }) };
    return (await readInput(choice, wholeCluster, context)).manifests;
  };
  const shared = common.length === 0 ? undefined : await files(common);
  const side = async (path: string): Promise<ReadSide> => {
    if (path === CLUSTER && cluster !== undefined)
      return { name: nameOf(cluster), manifests: running(cluster, shared) };
    const own = await files([path]);
    if (cluster === undefined)
      return { name: path, manifests: shared === undefined ? own : overlay(shared, own) };
    return { name: `${path} applied to the cluster`, manifests: applied(running(cluster, shared), own) };
  };
  return { before: await side(before), after: await side(after), notes: cluster?.notes ?? [] };
}

function running({ manifests }: Input, shared: Manifests | undefined): Manifests {
  return shared === undefined ? manifests : applied(manifests, shared);
}

function nameOf({ origin }: Input): string {
  switch (origin.kind) {
    case 'lab':
      return `lab ${origin.lab}`;
    case 'cluster':
      return `cluster (context ${origin.context})`;
    case 'files':
      return origin.paths.join(' ');
    default:
      return unreachable(origin);
  }
}
