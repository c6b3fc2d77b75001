/** How the sidecar reaches the injector: what the table stream needs to know of a connection that is being made. */
import net from 'node:net';
import type { PathUse } from '../../common/path.ts';
import type { SidecarFrame, WireVersion } from '../../policy/index.ts';

/** A connection that is being made. */
export interface Dialled {
  readonly socket: net.Socket;
  /** The socket's event from which on it may be written to. */
  readonly ready: 'connect' | 'secureConnect';
  /** What is said first. */
  readonly hello: SidecarFrame;
  /** What the injector knows, asked once the socket is ready; absent: what all know. */
  readonly wire?: () => WireVersion;
  /** There is no other replica to turn to; default false. */
  readonly isOnly?: boolean;
}

/** What the hello asks for. */
export interface Asked {
  /** Of tables. */
  readonly schema: number;
  /** The sidecar has a table: it takes an outline, and asks for the parts that it lacks. */
  readonly holds: boolean;
  /** It takes partial groups, and asks for the members that it meets. */
  readonly partial: boolean;
  /** Which way inbound TCP takes to the app. */
  readonly path: PathUse;
}

/** The fields of `Asked` as a hello has them: earlier injectors refuse those that they do not know. */
export function askedFields({ schema, holds, partial, path }: Asked): {
  readonly schema: number;
  readonly holds?: boolean;
  readonly partial?: boolean;
  readonly path?: PathUse;
} {
  return {
    schema,
    ...(holds ? { holds } : {}),
    ...(partial ? { partial } : {}),
    ...(path === 'proxy' ? {} : { path }),
  };
}

/** Makes one connection. */
export interface Transport {
  /** @throws SluiceError `CREDENTIALS_UNUSABLE`, `SOCKET_*`: a later try may succeed */
  dial(asked: Asked): Dialled;
  /** An error of the socket as a sentence for people. */
  explain(error: NodeJS.ErrnoException): string;
}

/** A unix socket: who may open it is trusted to say which pod it is in. */
export function localTransport(path: string, pod: { namespace: string; name: string }): Transport {
  return {
    dial: (asked) => ({
      socket: net.connect(path),
      ready: 'connect',
      hello: { type: 'hello', ...askedFields(asked), namespace: pod.namespace, pod: pod.name },
      wire: () => 3, // both ends are of one release
      isOnly: true,
    }),
    explain: (error) => error.message,
  };
}
