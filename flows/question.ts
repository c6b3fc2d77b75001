/** What is asked of observed flows. The same question goes to the injector, to a lab, and to lines of a file. */
import { PROTOCOLS } from '../common/net.ts';
import { flag, integer, list, object, oneOf, type TypeOf, text } from '../common/shape.ts';
import { OUTCOMES } from './window.ts';

/** Most edges in an answer; the rest is counted in `lost`. */
export const MAX_EDGES = 10_000;

/** What edges may be put together by, besides their outcome. */
export const GROUPS = ['src', 'dst', 'port', 'policy'] as const;

/** An end, as somebody asks for it: what is left out fits all. */
const askedEnd = object({}, { namespace: text(), workload: text(), address: text() });

/** A question. All that it names has to fit; of a list, one. */
export const flowQuestion = object(
  {
    /** The span, ms since 1970. */
    since: integer(0, Number.MAX_SAFE_INTEGER),
    until: integer(0, Number.MAX_SAFE_INTEGER),
  },
  {
    /** Edges with an end in one of these namespaces. Absent: in any that the asker may see. */
    namespaces: list(text()),
    from: list(askedEnd),
    to: list(askedEnd),
    ports: list(integer(0, 65_535)),
    protocols: list(oneOf(...PROTOCOLS)),
    outcomes: list(oneOf(...OUTCOMES)),
    /** `namespace/name` of policies that admitted or came nearest. */
    policies: list(text()),
    /** Only edges with an end outside the cluster, or only others. */
    external: flag,
    /** The fields above that have to differ in place of fit. */
    not: list(oneOf('from', 'to', 'ports', 'protocols', 'outcomes', 'policies')),
    groupBy: list(oneOf(...GROUPS)),
    /** At most `MAX_EDGES`, the most flows first. */
    limit: integer(1, MAX_EDGES),
  },
);

/** A question. */
export type FlowQuestion = TypeOf<typeof flowQuestion>;
