/** What is asked of observed flows. The same question goes to the injector, to a lab, and to lines of a file. */
import { PROTOCOLS } from '../common/net.ts';
import { flag, integer, list, object, oneOf, type TypeOf, text } from '../common/shape.ts';
import { OUTCOMES } from './window.ts';

/** Most edges in an answer; the rest is counted in `lost`. */
export const MAX_EDGES = 10_000;

/** Most entries of each list in a question, and characters of each name in it: a namespace, a name and what stands between fit. */
export const MAX_ASKED = 256;
export const MAX_ASKED_CHARS = 512;

/** What edges may be put together by, besides their outcome. */
export const GROUPS = ['src', 'dst', 'port', 'policy'] as const;

const name = text((value) =>
  value.length <= MAX_ASKED_CHARS ? undefined : `must have at most ${MAX_ASKED_CHARS} characters`,
);

/** An end, as somebody asks for it: what is left out fits all. */
const askedEnd = object({}, { namespace: name, workload: name, address: name });

/** A question. All that it names has to fit; of a list, one. Each list has at most `MAX_ASKED` entries. */
export const flowQuestion = object(
  {
    /** The span, ms since 1970. */
    since: integer(0, Number.MAX_SAFE_INTEGER),
    until: integer(0, Number.MAX_SAFE_INTEGER),
  },
  {
    /** Edges with an end in one of these namespaces. Absent: in any that the asker may see. */
    namespaces: list(name, MAX_ASKED),
    from: list(askedEnd, MAX_ASKED),
    to: list(askedEnd, MAX_ASKED),
    ports: list(integer(0, 65_535), MAX_ASKED),
    protocols: list(oneOf(...PROTOCOLS), MAX_ASKED),
    outcomes: list(oneOf(...OUTCOMES), MAX_ASKED),
    /** `namespace/name` of policies that admitted or came nearest. */
    policies: list(name, MAX_ASKED),
    /** Only edges with an end outside the cluster, or only others. */
    external: flag,
    /** The fields above that have to differ in place of fit. */
    not: list(oneOf('from', 'to', 'ports', 'protocols', 'outcomes', 'policies'), MAX_ASKED),
    groupBy: list(oneOf(...GROUPS), MAX_ASKED),
    /** At most `MAX_EDGES`, the most flows first. */
    limit: integer(1, MAX_EDGES),
  },
);

/** A question. */
export type FlowQuestion = TypeOf<typeof flowQuestion>;
