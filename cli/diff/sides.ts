/** Reads the two sides of a comparison. */
import { existsSync } from 'node:fs';
import { SluiceError, unreachable } from '../../common/errors.ts';
import { firstFew } from '../../common/first_few.ts';
import type { Manifests } from '../../sources/index.ts';
import {
  type Input,
  type InputChoice,
  pathsInRevision,
  type ReadContext,
  readInput,
  wholeCluster,
} from '../input/index.ts';
import { CLUSTER, type DiffCommand } from './diff_options.ts';
import { applied, overlay } from './overlay.ts';

/** Paths that the name of a side has; more are only counted. */
const NAMED = 5;

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
  const { sides, common } = command;
  const cluster =
    sides.kind === 'two' && [sides.before, sides.after].includes(CLUSTER)
      ? await readInput(command.cluster, wholeCluster, context)
      : undefined;
  const namespace = command.namespace ?? cluster?.namespace;
  const files = async (paths: readonly string[]): Promise<Manifests> => {
    const choice: InputChoice = { kind: 'files', paths, ...(namespace === undefined ? {} : { namespace }) };
    return (await readInput(choice, wholeCluster, context)).manifests;
  };
  const shared = common.length === 0 ? undefined : await files(common);
  if (sides.kind === 'against') {
    const { revision, paths } = sides;
    const was = await pathsInRevision(revision, paths, context.signal);
    const is = paths.filter((path) => existsSync(path));
    const nowhere = paths.filter((path) => !was.has(path) && !is.includes(path));
    if (nowhere.length > 0)
      throw new SluiceError(
        'MANIFEST_UNREADABLE',
        `${firstFew(nowhere, NAMED)} cannot be read: neither there nor in ${revision}`,
      );
    const own = async (found: readonly string[]): Promise<Manifests> => {
      const manifests = await files(found);
      return shared === undefined ? manifests : overlay(shared, manifests);
    };
    const name = firstFew(paths, NAMED);
    return {
      before: { name: `${revision}: ${name}`, manifests: await own([...was.values()]) },
      after: { name, manifests: await own(is) },
      notes: [],
    };
  }
  const { before, after } = sides;
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
