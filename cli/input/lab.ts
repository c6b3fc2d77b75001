/** The objects of a lab: what its injector has. */
import { SluiceError } from '../../common/errors.ts';
import { checkLabName, labNames, labPaths, readState } from '../../lab/index.ts';
import type { Manifests } from '../../sources/index.ts';
import { didYouMean } from '../likeness.ts';
import { readFiles } from './files.ts';
import type { ReadContext } from './read_context.ts';

/** @throws SluiceError `LAB_NOT_FOUND`, with the labs that are there */
export async function readLab(name: string, context: ReadContext): Promise<Manifests> {
  checkLabName(name);
  const known = labNames();
  if (!known.includes(name)) {
    const others = known.length === 0 ? 'there is none' : `there are: ${known.join(', ')}`;
    throw new SluiceError(
      'LAB_NOT_FOUND',
      `there is no lab ${name}${didYouMean(name, known) || `; ${others}`}`,
    );
  }
  readState(name);
  return await readFiles([labPaths(name).manifests], context);
}
