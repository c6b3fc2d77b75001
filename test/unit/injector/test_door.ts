/** The ways in to an injector, as a test sidecar takes them. */
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { TABLE_SCHEMA } from '../../../policy/table/form.ts';
import type { SidecarFrame } from '../../../policy/table/frames.ts';
import { SERVER_NAME, tokenOf } from './test_credentials.ts';

/** One way in. */
export interface TestDoor {
  connect(): Socket;
  /** What asks for the table of `namespace/name`. */
  hello(pod: string): SidecarFrame;
}

/** A unix socket. */
export function localDoor(path: string): TestDoor {
  return {
    connect: () => connect(path),
    hello(pod) {
      const [namespace = '', name = ''] = pod.split('/');
      return { type: 'hello', schema: TABLE_SCHEMA, namespace, pod: name };
    },
  };
}

/** TLS on loopback. */
export function tlsDoor(port: number, ca: string): TestDoor {
  return {
    connect: () => connectTls({ host: '127.0.0.1', port, ca, servername: SERVER_NAME }),
    hello: (pod) => ({ type: 'token-hello', schema: TABLE_SCHEMA, token: tokenOf(pod) }),
  };
}
