/**
 * Stands between sidecars and an injector, hears what sidecars ask, and may leave them without an answer. With an injector that sends
 * all groups whole it makes them partial: a sidecar that asks for such groups gets only the members that it has asked about. For tests
 * of sidecars with small clusters.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { LineReader } from '../../common/line_reader.ts';
import { unpack } from '../../common/pack.ts';
import { PersistentMap } from '../../common/persistent_map.ts';
import {
  type AddressGroup,
  applyChange,
  type InjectorFrame,
  readInjectorFrame,
  readSidecarFrame,
  type SidecarFrame,
  type Table,
  tableJson,
  tableOf,
} from '../../policy/index.ts';
import { changeBetween } from '../builders/table_frames.ts';

const MAX_LINE_BYTES = 64 * 1024 * 1024;

/** Serves sidecars on a unix socket. */
export class PartialInjector {
  readonly #server: Server;
  readonly #sessions = new Set<PartialSession>();
  /** Questions stay without an answer while this is set. */
  isSilent = false;
  /** Addresses that were asked about, by pod. */
  readonly asked = new Map<string, string[]>();
  /** Groups are made partial here, and not by the injector. */
  readonly makesPartial: boolean;

  /** @param upstream path of the injector's socket */
  constructor(path: string, upstream: string, { makesPartial = true } = {}) {
    this.makesPartial = makesPartial;
    this.#server = createServer((socket) => {
      const session = new PartialSession(socket, upstream, this);
      this.#sessions.add(session);
      socket.on('close', () => this.#sessions.delete(session));
    });
    this.#server.listen(path);
  }

  /** Ends all connections; sidecars come back. */
  disconnect(): void {
    for (const session of this.#sessions) session.close();
  }

  close(): void {
    this.#server.close();
    this.disconnect();
  }
}

/** One sidecar's connection. It has revisions of its own: they change with what the sidecar has asked, too. */
class PartialSession {
  readonly #sidecar: Socket;
  readonly #injector: Socket;
  readonly #owner: PartialInjector;
  readonly #met = new Set<string>();
  #pod = '';
  #isPartial = false;
  /** What the injector has sent, and what the sidecar has of it. */
  #whole: Table | undefined;
  #shown: Table | undefined;
  /** The injector's revision of each one that was shown. */
  readonly #revisions = new Map<number, number>();
  #acknowledged = 0;

  constructor(sidecar: Socket, upstream: string, owner: PartialInjector) {
    this.#sidecar = sidecar;
    this.#owner = owner;
    this.#injector = connect(upstream);
    follow(sidecar, (line) => this.#fromSidecar(readSidecarFrame(JSON.parse(line))));
    follow(this.#injector, (line) => this.#fromInjector(readInjectorFrame(JSON.parse(line), unpack)));
    sidecar.on('close', () => this.#injector.destroy());
    this.#injector.on('close', () => sidecar.destroy());
  }

  close(): void {
    this.#sidecar.destroy();
  }

  #fromSidecar(frame: SidecarFrame): void {
    switch (frame.type) {
      case 'hello': {
        this.#pod = `${frame.namespace}/${frame.pod}`;
        if (!this.#owner.makesPartial) return send(this.#injector, frame);
        const { holds: _, partial = false, ...hello } = frame;
        this.#isPartial = partial;
        return send(this.#injector, hello);
      }
      case 'meet': {
        const asked = this.#owner.asked.get(this.#pod) ?? [];
        this.#owner.asked.set(this.#pod, asked);
        asked.push(...frame.addresses);
        if (this.#owner.isSilent) return;
        if (!this.#owner.makesPartial) return send(this.#injector, frame);
        // Before there is a table, who is a member shows later.
        for (const address of frame.addresses) if (this.#isMember(address) ?? true) this.#met.add(address);
        this.#show();
        return send(this.#sidecar, { type: 'met', addresses: frame.addresses });
      }
      case 'ack':
        if (!this.#owner.makesPartial) return send(this.#injector, frame);
        this.#acknowledged = frame.revision;
        return send(this.#injector, { ...frame, revision: this.#revisions.get(frame.revision) ?? 0 });
      case 'nack':
        throw new Error(`the sidecar of ${this.#pod} refuses a frame: ${frame.message}`);
      default:
        return send(this.#injector, frame);
    }
  }

  #fromInjector(frame: InjectorFrame): void {
    if (!this.#owner.makesPartial) return send(this.#sidecar, frame);
    switch (frame.type) {
      case 'snapshot':
        this.#whole = tableOf(frame.table);
        return this.#show();
      case 'change':
        if (this.#whole === undefined) throw new Error('a change came before a table');
        this.#whole = applyChange(this.#whole, frame.change).table;
        return this.#show();
      case 'heartbeat':
        return send(this.#sidecar, { ...frame, revision: this.#shown?.revision ?? frame.revision });
      default:
        return send(this.#sidecar, frame);
    }
  }

  /** Sends what is new for the sidecar. */
  #show(): void {
    const [whole, shown] = [this.#whole, this.#shown];
    if (whole === undefined) return;
    // Who is in no group any more has to be asked about again.
    for (const address of this.#met) if (this.#isMember(address) === false) this.#met.delete(address);
    const revision = shown === undefined ? whole.revision : shown.revision + 1;
    const groups = new Map([...whole.groups].map(([id, one]) => [id, this.#view(one)]));
    const next = { ...whole, revision, groups };
    if (shown === undefined) send(this.#sidecar, { type: 'snapshot', table: tableJson(next) });
    else {
      const change = changeBetween(shown, next);
      const isEmpty = Object.keys(change).length === ['schema', 'from', 'revision'].length;
      if (isEmpty) return this.#sameForSidecar(shown.revision, whole.revision);
      send(this.#sidecar, { type: 'change', change });
    }
    this.#shown = next;
    this.#revisions.set(revision, whole.revision);
  }

  #isMember(address: string): boolean | undefined {
    const groups = this.#whole?.groups.values();
    return groups && [...groups].some(({ members }) => members.has(address));
  }

  /** The sidecar enforces the injector's next revision already. */
  #sameForSidecar(shown: number, revision: number): void {
    this.#revisions.set(shown, revision);
    if (this.#acknowledged === shown) send(this.#injector, { type: 'ack', revision });
  }

  #view(group: AddressGroup): AddressGroup {
    if (!this.#isPartial) return group;
    const met = <V>(map: PersistentMap<V>): PersistentMap<V> =>
      PersistentMap.from([...map].filter(([address]) => this.#met.has(address)));
    const { members, ports } = group;
    return {
      ...group,
      partial: true,
      members: met(members),
      ...(ports === undefined ? {} : { ports: met(ports) }),
    };
  }
}

function follow(socket: Socket, line: (text: string) => void): void {
  socket.on('error', () => socket.destroy());
  const reader = new LineReader(MAX_LINE_BYTES, { line });
  socket.on('data', (chunk: Buffer) => reader.push(chunk));
}

function send(socket: Socket, frame: InjectorFrame | SidecarFrame): void {
  if (socket.writable) socket.write(`${JSON.stringify(frame)}\n`);
}
