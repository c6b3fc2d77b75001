/** What a client agent and its user say to each other. Times are milliseconds; `…At` are wall clock with fractions. */

/** Tells the agent what to do. */
export type AgentRequest =
  /** One connection: connects, sends a line (default `hello`), reads one line. */
  | {
      readonly do: 'connect';
      readonly address: string;
      readonly port: number;
      readonly localAddress?: string;
      readonly send?: string;
      readonly timeoutMs?: number;
    }
  /** One UDP datagram and its answer. */
  | {
      readonly do: 'datagram';
      readonly address: string;
      readonly port: number;
      readonly localAddress?: string;
      readonly timeoutMs?: number;
    }
  /** An HTTP GET, by default on localhost: a sidecar's admin port. */
  | { readonly do: 'http'; readonly address?: string; readonly port: number; readonly path: string }
  | OpenRequest
  /** How the flows are now. */
  | { readonly do: 'report'; readonly group: string }
  /** Waits until every flow has ended, at most `timeoutMs`. `echo` flows are told to end first. */
  | { readonly do: 'finish'; readonly group: string; readonly timeoutMs: number }
  /** Destroys the flows. */
  | { readonly do: 'close'; readonly group: string }
  /** Resets the flows: RST instead of FIN. */
  | { readonly do: 'reset'; readonly group: string };

/** Opens flows, answers when all of them have had a first byte from the app, or have ended. */
export interface OpenRequest {
  readonly do: 'open';
  /** Name for later requests. */
  readonly group: string;
  readonly count: number;
  readonly address: string;
  readonly port: number;
  readonly localAddress?: string;
  readonly work: FlowWork;
}

/** What each flow does. Streams are the pattern of `lab/app/pattern.ts` from its start. */
export type FlowWork =
  /**
   * Receives `bytes` (`SEND`). With `sentBytesPerSecond` the app paces itself; with `bytesPerSecond` the reader does,
   * and what has piled up before it makes it notice a reset late.
   */
  | {
      readonly kind: 'receive';
      readonly bytes: number;
      readonly sentBytesPerSecond?: number;
      readonly bytesPerSecond?: number;
    }
  /** Sends `bytes` (`SINK`), closes its side, and takes the app's count and hash. */
  | { readonly kind: 'send'; readonly bytes: number }
  /** Sends `chunkBytes` every `intervalMs` and gets them back (`ECHO`), until `finish`. */
  | { readonly kind: 'echo'; readonly chunkBytes: number; readonly intervalMs: number }
  /** Sends one line and then holds the connection. */
  | { readonly kind: 'hold' };

/** One flow. */
export interface FlowReport {
  /** `ended`: the app closed its side and all was read; `failed`: reset, or any other error. */
  readonly state: 'connecting' | 'open' | 'ended' | 'failed';
  readonly localPort?: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  /** Of what was received; once the flow is over. */
  readonly receivedSha256?: string;
  /** Of what was sent after the verb; `echo` only, once the flow is over. */
  readonly sentSha256?: string;
  /** `send` only: the app's answer, `<bytes> <sha256>`. */
  readonly answer?: string;
  /** When it ended or failed. */
  readonly overAt?: number;
  /** ECONNRESET and the like. */
  readonly error?: string;
}

/** Outcome of `connect`. */
export interface ConnectResult {
  /** The handshake completed, which says little: a proxy accepts before it resets. */
  readonly connected: boolean;
  /** The app answered. */
  readonly allowed: boolean;
  readonly reset: boolean;
  readonly timedOut: boolean;
  readonly reply: string;
  /** The client's address as the app sees it. */
  readonly seenAddress?: string;
  readonly error?: string;
  readonly ms: number;
}

/** Outcome of `datagram`. */
export interface DatagramResult {
  readonly allowed: boolean;
  readonly seenAddress?: string;
  readonly error?: string;
}

/** Outcome of `http`. */
export interface HttpResult {
  readonly status: number;
  readonly body: string;
}

/** Answer by request. */
export interface AgentAnswers {
  readonly connect: ConnectResult;
  readonly datagram: DatagramResult;
  readonly http: HttpResult;
  readonly open: readonly FlowReport[];
  readonly report: readonly FlowReport[];
  readonly finish: readonly FlowReport[];
  readonly close: readonly FlowReport[];
  readonly reset: readonly FlowReport[];
}
