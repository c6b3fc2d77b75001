/** Many flows of one client, counted and hashed. Runs in the client agent. */

import { createHash, type Hash } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { codeOrMessageOf } from '../../common/errno.ts';
import { unreachable } from '../../common/errors.ts';
import { PATTERN_BLOCK } from '../app/index.ts';
import type { FlowReport, FlowWork, OpenRequest } from './protocol.ts';

/** How often a throttled reader is given its share, in milliseconds. */
const THROTTLE_MS = 20;

/** Flows that were opened together. */
export interface FlowGroup {
  /** Resolves when each flow has had its first byte, or is over. */
  opened(): Promise<readonly FlowReport[]>;
  report(): readonly FlowReport[];
  /** Lets `echo` flows end, waits until all are over, at most `timeoutMs`. */
  finish(timeoutMs: number): Promise<readonly FlowReport[]>;
  close(): void;
  /** Resets the flows: RST instead of FIN. */
  reset(): void;
}

/** Opens the flows of a request. */
export function openFlows(request: OpenRequest): FlowGroup {
  const flows = Array.from({ length: request.count }, () => new Flow(request));
  const report = (): FlowReport[] => flows.map((flow) => flow.report());
  return {
    report,
    opened: async () => {
      await Promise.all(flows.map((flow) => flow.started));
      return report();
    },
    finish: async (timeoutMs) => {
      for (const flow of flows) flow.endEcho();
      let timer: NodeJS.Timeout | undefined;
      const timeout = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, timeoutMs);
      });
      await Promise.race([Promise.all(flows.map((flow) => flow.over)), timeout]);
      clearTimeout(timer);
      return report();
    },
    close: () => {
      for (const flow of flows) flow.destroy();
    },
    reset: () => {
      for (const flow of flows) flow.reset();
    },
  };
}

class Flow {
  readonly started: Promise<void>;
  readonly over: Promise<void>;
  readonly #work: FlowWork;
  readonly #socket: Socket;
  readonly #received: Hash = createHash('sha256');
  readonly #sent: Hash = createHash('sha256');
  #state: FlowReport['state'] = 'connecting';
  #localPort: number | undefined;
  #receivedBytes = 0;
  #sentBytes = 0;
  #answer = '';
  #error: string | undefined;
  #overAt: number | undefined;
  #digests: { receivedSha256: string; sentSha256: string } | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor({ work, address: host, port, localAddress }: OpenRequest) {
    this.#work = work;
    const socket = connect({
      host,
      port,
      allowHalfOpen: true,
      noDelay: true,
      ...(localAddress === undefined ? {} : { localAddress }),
    });
    this.#socket = socket;
    const started = Promise.withResolvers<void>();
    const over = Promise.withResolvers<void>();
    this.started = started.promise;
    this.over = over.promise;
    socket.on('connect', () => this.#begin());
    socket.on('data', (chunk: Buffer) => {
      if (this.#receivedBytes === 0) started.resolve();
      this.#receive(chunk);
    });
    // A flow is also over when its app closes first.
    socket.on('end', () => {
      clearInterval(this.#timer);
      if (!socket.writableEnded) socket.end();
      this.#conclude('ended');
    });
    socket.on('error', (error) => {
      this.#error = codeOrMessageOf(error);
      this.#conclude('failed');
    });
    socket.on('close', () => {
      this.#conclude('failed');
      started.resolve();
      over.resolve();
    });
    // `send` has no byte from the app before its end.
    if (work.kind === 'send') socket.on('connect', () => started.resolve());
  }

  report(): FlowReport {
    // Not when the flow is over: a thousand others may be over then, and their times are of interest.
    if (this.#overAt !== undefined)
      this.#digests ??= {
        receivedSha256: this.#received.digest('hex'),
        sentSha256: this.#sent.digest('hex'),
      };
    return {
      state: this.#state,
      ...(this.#localPort === undefined ? {} : { localPort: this.#localPort }),
      receivedBytes: this.#receivedBytes,
      sentBytes: this.#sentBytes,
      ...(this.#digests === undefined ? {} : { receivedSha256: this.#digests.receivedSha256 }),
      ...(this.#digests === undefined || this.#work.kind !== 'echo'
        ? {}
        : { sentSha256: this.#digests.sentSha256 }),
      ...(this.#answer === '' ? {} : { answer: this.#answer.trim() }),
      ...(this.#overAt === undefined ? {} : { overAt: this.#overAt }),
      ...(this.#error === undefined ? {} : { error: this.#error }),
    };
  }

  endEcho(): void {
    if (this.#work.kind !== 'echo') return;
    clearInterval(this.#timer);
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  reset(): void {
    this.#socket.resetAndDestroy();
  }

  #begin(): void {
    this.#state = 'open';
    this.#localPort = this.#socket.localPort;
    const work = this.#work;
    switch (work.kind) {
      case 'receive':
        this.#socket.write(`SEND ${work.bytes} ${work.sentBytesPerSecond ?? 'Infinity'}\n`);
        if (work.bytesPerSecond !== undefined) this.#throttle(work.bytesPerSecond);
        return;
      case 'send':
        this.#socket.write('SINK\n');
        this.#push(work.bytes);
        return;
      case 'echo':
        this.#socket.write('ECHO\n');
        this.#echo(work.chunkBytes);
        this.#timer = setInterval(() => this.#echo(work.chunkBytes), work.intervalMs);
        return;
      case 'hold':
        this.#socket.write('hello\n');
        return;
      default:
        return unreachable(work);
    }
  }

  #receive(chunk: Buffer): void {
    this.#receivedBytes += chunk.length;
    if (this.#work.kind === 'send') this.#answer += chunk.toString('latin1');
    else this.#received.update(chunk);
  }

  #echo(bytes: number): void {
    // A reader that lags gets no more: what is under way stays bounded.
    if (this.#socket.writableLength > 0) return;
    const chunk = PATTERN_BLOCK.subarray(0, bytes);
    this.#sentBytes += chunk.length;
    this.#sent.update(chunk);
    this.#socket.write(chunk);
  }

  #push(bytes: number): void {
    let left = bytes;
    const more = (): void => {
      while (left > 0) {
        const chunk = PATTERN_BLOCK.subarray(0, left);
        left -= chunk.length;
        this.#sentBytes += chunk.length;
        if (!this.#socket.write(chunk)) return;
      }
      this.#socket.off('drain', more).end();
    };
    this.#socket.on('drain', more);
    more();
  }

  #throttle(bytesPerSecond: number): void {
    const startedAt = performance.now();
    const tick = (): void => {
      const allowance = ((performance.now() - startedAt) / 1000) * bytesPerSecond;
      if (this.#receivedBytes > allowance) this.#socket.pause();
      else this.#socket.resume();
    };
    this.#socket.on('data', tick);
    this.#timer = setInterval(tick, THROTTLE_MS);
  }

  #conclude(state: 'ended' | 'failed'): void {
    clearInterval(this.#timer);
    if (this.#overAt !== undefined) return;
    this.#state = state;
    this.#overAt = performance.timeOrigin + performance.now();
  }
}
