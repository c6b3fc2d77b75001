/** What the injector and a sidecar of schema 1 say to each other; what does not differ is in `policy/table/frames.ts`. */

import { nullable, object, type TypeOf, tagged } from '../../common/shape.ts';
import { address, commonFrames, malformed, peerIdentity } from '../table/index.ts';
import { deltaForm, tableForm } from './form.ts';

const injectorFrame = tagged('type', {
  ...commonFrames,
  /** The whole table. First on each connection; later when a delta would not do. */
  snapshot: object({ table: tableForm }),
  delta: object({ delta: deltaForm }),
  identity: object({ address, pod: nullable(peerIdentity) }),
});

/** From an injector to a sidecar that has asked for schema 1. */
export type InjectorFrameV1 = TypeOf<typeof injectorFrame>;

/** Reads such a frame, already parsed as JSON. Throws TABLE_MALFORMED; a frame is refused whole. */
export function readInjectorFrameV1(value: unknown): InjectorFrameV1 {
  return injectorFrame.read(value, 'frame', malformed);
}
