/**
 * What a simulated sidecar says to the injector and understands of its answers, by schema: types and revisions of frames, and
 * nothing that is in them.
 */
import { type SidecarFrame, TABLE_SCHEMA } from '../../../policy/index.ts';

/** How sidecars of one schema speak. */
export interface Speech {
  readonly schema: number;
  /** Types of the frames that change what is in force: each has a revision, and is acknowledged. */
  readonly tables: ReadonlySet<string>;
  /** The first frame, from that of this checkout's schema. `holds`: the sidecar has had a table before. */
  hello(hello: SidecarFrame, holds: boolean): object;
  /** Answers a frame of one of `tables`: last that what came with this revision is enforced. */
  answers(type: string, revision: number): readonly object[];
  /** Asks which of these addresses are members of large groups; `met` answers. Absent: the schema has no such question. */
  meet?(addresses: readonly string[]): object;
}

const SPEECHES: readonly Speech[] = [
  {
    schema: 1,
    tables: new Set(['snapshot', 'delta']),
    hello: (hello) => ({ ...hello, schema: 1 }),
    answers: (_type, revision) => [{ type: 'ack', revision }],
  },
  {
    schema: 2,
    tables: new Set(['snapshot', 'outline', 'change']),
    hello: (hello, holds) => ({ ...hello, partial: true, ...(holds ? { holds } : {}) }),
    // The table it had is the table that the injector has: nothing is wanted.
    answers: (type, revision) => [
      ...(type === 'outline' ? [{ type: 'want', parts: [] }] : []),
      { type: 'ack', revision },
    ],
    meet: (addresses) => ({ type: 'meet', addresses }),
  },
];

/** The speech of a schema; default that of this checkout. @throws Error when the simulated sidecars do not speak it */
export function speechOf(schema: number = TABLE_SCHEMA): Speech {
  const speech = SPEECHES.find((one) => one.schema === schema);
  if (speech !== undefined) return speech;
  const known = SPEECHES.map((one) => one.schema).join(', ');
  throw new Error(`the simulated sidecars do not speak schema ${schema}; they speak ${known}`);
}

/** A frame, as far as it is read. `revision` is NaN where the frame has none near its beginning. */
export interface FrameHead {
  readonly type: string;
  readonly revision: number;
}

/** Reads the first bytes of a frame. */
export function readHead(head: string): FrameHead {
  return {
    type: /^\{"type":"([a-z-]+)"/.exec(head)?.[1] ?? '',
    revision: Number(/"revision":(\d+)/.exec(head)?.[1]),
  };
}
