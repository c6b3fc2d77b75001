/**
 * What a client agent and its user say to each other: one line of JSON each way. Times are milliseconds; `…At` are wall clock
 * with fractions. Each form is a shape, from which its type and its check come.
 */
import { MAX_PORT } from '../../common/net.ts';
import {
  anything,
  flag,
  integer,
  list,
  number,
  object,
  oneOf,
  type Shape,
  type TypeOf,
  tagged,
  text,
} from '../../common/shape.ts';

const anyText = text();
const whole = integer(0, Number.MAX_SAFE_INTEGER);
const port = integer(0, MAX_PORT);

/** What each flow does. Streams are the pattern of `lab/app/pattern.ts` from its start. */
const flowWork = tagged('kind', {
  /**
   * Receives `bytes` (`SEND`). With `sentBytesPerSecond` the app paces itself; with `bytesPerSecond` the reader does,
   * and what has piled up before it makes it notice a reset late.
   */
  receive: object({ bytes: whole }, { sentBytesPerSecond: number, bytesPerSecond: number }),
  /** Sends `bytes` (`SINK`), closes its side, and takes the app's count and hash. */
  send: object({ bytes: whole }),
  /** Sends `chunkBytes` every `intervalMs` and gets them back (`ECHO`), until `finish`. */
  echo: object({ chunkBytes: whole, intervalMs: number }),
  /** Sends one line and then holds the connection. */
  hold: object({}),
});

/** What each flow does. */
export type FlowWork = TypeOf<typeof flowWork>;

/** The form of a request. */
export const agentRequest = tagged('do', {
  /** One connection: connects, sends a line (default `hello`), reads one line. */
  connect: object({ address: anyText, port }, { localAddress: anyText, send: anyText, timeoutMs: number }),
  /** One UDP datagram and its answer. */
  datagram: object({ address: anyText, port }, { localAddress: anyText, timeoutMs: number }),
  /** Listens until the agent ends, and answers each connection and datagram with a line. */
  listen: object({ protocol: oneOf('TCP', 'UDP'), address: anyText, port }),
  /** An HTTP GET, by default on localhost: a sidecar's admin port. */
  http: object({ port, path: anyText }, { address: anyText }),
  /** Opens flows, answers when all of them have had a first byte from the app, or have ended. */
  open: object(
    {
      /** Name for later requests. */
      group: anyText,
      count: whole,
      address: anyText,
      port,
      work: flowWork,
    },
    { localAddress: anyText },
  ),
  /** How the flows are now. */
  report: object({ group: anyText }),
  /** Waits until every flow has ended, at most `timeoutMs`. `echo` flows are ended first. */
  finish: object({ group: anyText, timeoutMs: number }),
  /** Destroys the flows. */
  close: object({ group: anyText }),
  /** Resets the flows: RST instead of FIN. */
  reset: object({ group: anyText }),
});

/** What the agent is asked to do. */
export type AgentRequest = TypeOf<typeof agentRequest>;

/** Opens flows. */
export type OpenRequest = Extract<AgentRequest, { readonly do: 'open' }>;

/** Listens. */
export type ListenRequest = Extract<AgentRequest, { readonly do: 'listen' }>;

const flowReport = object(
  {
    /** `ended`: the app closed its side and all was read; `failed`: reset, or any other error. */
    state: oneOf('connecting', 'open', 'ended', 'failed'),
    receivedBytes: whole,
    sentBytes: whole,
  },
  {
    localPort: port,
    /** Of what was received; once the flow is over. */
    receivedSha256: anyText,
    /** Of what was sent after the verb; `echo` only, once the flow is over. */
    sentSha256: anyText,
    /** `send` only: the app's answer, `<bytes> <sha256>`. */
    answer: anyText,
    /** When it ended or failed. */
    overAt: number,
    /** ECONNRESET and the like. */
    error: anyText,
  },
);

/** One flow. */
export interface FlowReport extends TypeOf<typeof flowReport> {}

const connectResult = object(
  {
    /** The handshake completed, which says little: a proxy accepts before it resets. */
    connected: flag,
    /** The app answered. */
    allowed: flag,
    reset: flag,
    timedOut: flag,
    reply: anyText,
    ms: number,
  },
  {
    /** The client's address as the app sees it. */
    seenAddress: anyText,
    error: anyText,
  },
);

/** Outcome of `connect`. */
export interface ConnectResult extends TypeOf<typeof connectResult> {}

const datagramResult = object({ allowed: flag }, { seenAddress: anyText, error: anyText });

/** Outcome of `datagram`. */
export interface DatagramResult extends TypeOf<typeof datagramResult> {}

const listenResult = object({
  /** False: somebody else listens there. */
  listening: flag,
});

/** Outcome of `listen`. */
export interface ListenResult extends TypeOf<typeof listenResult> {}

const httpResult = object({ status: whole, body: anyText });

/** Outcome of `http`. */
export interface HttpResult extends TypeOf<typeof httpResult> {}

const reports = list(flowReport);

/** Answer by request. */
export interface AgentAnswers {
  readonly connect: ConnectResult;
  readonly datagram: DatagramResult;
  readonly listen: ListenResult;
  readonly http: HttpResult;
  readonly open: readonly FlowReport[];
  readonly report: readonly FlowReport[];
  readonly finish: readonly FlowReport[];
  readonly close: readonly FlowReport[];
  readonly reset: readonly FlowReport[];
}

/** The form of each answer. */
export const AGENT_ANSWERS: { readonly [K in keyof AgentAnswers]: Shape<AgentAnswers[K]> } = {
  connect: connectResult,
  datagram: datagramResult,
  listen: listenResult,
  http: httpResult,
  open: reports,
  report: reports,
  finish: reports,
  close: reports,
  reset: reports,
};

/** A line to the agent: a request, and the number that its answer bears. */
export const requestLine = object({ id: whole, request: anything });

/** A line from the agent: `result`, or `error` where it could not do it. */
export const answerLine = object({ id: whole }, { result: anything, error: anyText });
