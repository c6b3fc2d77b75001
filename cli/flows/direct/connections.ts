/** Live connections, as a sidecar shows them at /connections: docs/reference/admin.md. */
import { integer, list, part, type TypeOf, text } from '../../../common/shape.ts';

const whole = integer(0, Number.MAX_SAFE_INTEGER);
const port = integer(0, 65_535);

const connection = part({
  path: text(),
  state: text(),
  since: text((value) => (Number.isNaN(Date.parse(value)) ? 'is no time' : undefined)),
  src: part({ addr: text(), port }, { pod: text(), workload: text() }),
  dst: part({ addr: text(), port }),
  verdict: part({ reason: text() }, { policy: part({ namespace: text(), name: text() }), rule: whole }),
  bytes_sent: whole,
  bytes_recv: whole,
});

/** One of them. It comes into the pod. */
export type ConnectionView = TypeOf<typeof connection>;

/** The page. */
export const connectionsPage = list(connection);
