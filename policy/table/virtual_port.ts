/** What an address, protocol and port of a Service stands for, as tables have it. */

import { integer, list, object, type TypeOf } from '../../common/shape.ts';
import { address, anyText, port } from './parts.ts';

/** The form of `Backend`. */
export const backend = object({ address, port });

/** Where connections to a virtual port end up. The address is canonical. */
export interface Backend extends TypeOf<typeof backend> {}

/** The form of `VirtualPort`. */
export const virtualPort = object(
  {
    /** The Service's namespace and name. */
    namespace: anyText,
    name: anyText,
    /** Ready ones, in order of address and port, each once. None: the port is served by nobody at present. */
    backends: list(backend),
  },
  {
    /** The Service's name for the port, where it has one. */
    port: anyText,
    /** With session affinity: how long a client keeps its backend, in seconds. */
    affinitySeconds: integer(1, Number.MAX_SAFE_INTEGER),
  },
);

/** What one address, protocol and port of a Service stands for. */
export interface VirtualPort extends TypeOf<typeof virtualPort> {}
