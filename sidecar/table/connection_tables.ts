/**
 * What comes on one connection, in the schema that its hello asked for. A sidecar that moves to another replica has two
 * connections for a while: each has its own revisions and its own outline, and only one of them puts tables in force.
 */
import { SluiceError } from '../../common/errors.ts';
import { unpack } from '../../common/pack.ts';
import {
  type InjectorFrame,
  type InjectorFrameV1,
  type PartDigests,
  type PeerIdentity,
  readInjectorFrame,
  readInjectorFrameV1,
  resolveOutline,
  SCHEMA_1,
  TABLE_SCHEMA,
  type Table,
  type TableChange,
  type TableOutline,
  tableOf,
} from '../../policy/index.ts';
import type { Enforcement } from './enforcement.ts';
import { OlderTables } from './older_tables.ts';

/** How an older injector begins its refusal. First: it speaks schema 1 only. Second: it does not know a field of the hello, such as `holds` or `partial`. */
const OLDER = [
  new RegExp(`^table schema ${TABLE_SCHEMA} is wanted, ${SCHEMA_1} is served`),
  /^not a frame: frame\.\w+ is a field this version does not know/,
];

/** Parts that are asked for by number: with more, the frame would be longer than the injector reads. The table is asked for whole then. */
const MAX_WANTED = 4_096;

/** Frames that are the same in both schemas. */
export type CommonFrame = Extract<InjectorFrame, { type: 'heartbeat' | 'unknown-pod' | 'refused' | 'moved' }>;

/** What a line says. */
export type Word =
  /**
   * A table: whole, or what the one in force becomes; `change` leads to it, where that came in today's schema. `enforce` puts it in
   * force, and gives how many flows it has ended.
   */
  | {
      readonly type: 'table';
      readonly isWhole: boolean;
      readonly change?: TableChange;
      enforce(): number;
    }
  /** Of an outline some parts have to come yet: they have been asked for. */
  | { readonly type: 'incomplete' }
  | { readonly type: 'identity'; readonly identified: Identified }
  /** The injector is older than this sidecar, and has to be asked for tables in its form. */
  | { readonly type: 'older'; readonly message: string }
  /** Of these addresses all is known that `meet` has asked. */
  | { readonly type: 'met'; readonly addresses: readonly string[] }
  | CommonFrame;

/** Who has an address. `tag`: of the pod, where it is known. */
type Identified = readonly [address: string, pod: PeerIdentity | null, tag: string | undefined];

/** What is looked at before a whole table is put in force. */
interface Checked {
  readonly subject: Pick<Table['subject'], 'namespace' | 'name'>;
  readonly revision: number;
}

/** What the tables of a connection need. */
interface ConnectionTablesParts {
  readonly pod: { readonly namespace: string; readonly name: string };
  readonly enforcement: Enforcement;
  /** Shared by all connections: each part's digest is worked out once. */
  readonly digests: PartDigests;
  /** Asks on this connection for parts of the outline, by their numbers; none: there are all. */
  want(parts: readonly number[]): void;
  /** Asks on this connection for the whole table instead of the parts of an outline. @param message why */
  wantWhole(message: string): void;
  /** Takes who has an address. */
  identified(...answer: Identified): void;
}

/** Of one connection, for as long as it lasts. */
export class ConnectionTables {
  readonly #parts: ConnectionTablesParts;
  /** Where the connection asks for schema 1. */
  readonly #older: OlderTables | undefined;
  /** The newest revision on this connection. The next one may be to another injector, which counts from another number. */
  #newest = 0;
  /** An outline has come: what comes after it has the parts that were asked for. */
  #hasOutline = false;
  /** What there was when it came, until its parts have come: another connection may put other tables in force meanwhile. */
  #held: Table | undefined;

  constructor(schema: number, parts: ConnectionTablesParts) {
    this.#parts = parts;
    this.#older =
      schema === SCHEMA_1
        ? new OlderTables(parts.enforcement, (...answer) => parts.identified(...answer))
        : undefined;
  }

  /** Reads a line. @throws SluiceError `TABLE_MALFORMED`, `TABLE_GAP`; SyntaxError */
  read(line: string): Word {
    const json: unknown = JSON.parse(line);
    return this.#older === undefined
      ? this.#readToday(readInjectorFrame(json, unpack))
      : this.#readOlder(readInjectorFrameV1(json), this.#older);
  }

  #readToday(frame: InjectorFrame): Word {
    const { enforcement } = this.#parts;
    switch (frame.type) {
      case 'snapshot': {
        this.#check(frame.table);
        const table = tableOf(frame.table);
        return this.#table(true, () => enforcement.replace(table));
      }
      case 'outline':
        this.#check(frame.outline);
        return this.#resolve(frame.outline);
      case 'change':
        return { ...this.#table(false, () => enforcement.apply(frame.change)), change: frame.change };
      case 'identity':
        return { type: 'identity', identified: [frame.address, frame.pod, frame.tag] };
      case 'refused': {
        const { message } = frame;
        return OLDER.some((form) => form.test(message)) ? { type: 'older', message } : frame;
      }
      default:
        return frame;
    }
  }

  /** Takes what an outline does not have from the table that there was when the first outline came. */
  #resolve(outline: TableOutline): Word {
    const { enforcement, digests, want } = this.#parts;
    const held = this.#held ?? enforcement.table;
    const resolved = resolveOutline(outline, held, digests);
    if (resolved.kind === 'missing' && this.#hasOutline)
      throw new SluiceError('TABLE_GAP', 'an outline lacks parts that it had to bring: a snapshot is wanted');
    const missing = resolved.kind === 'missing' ? resolved.parts : [];
    if (missing.length > MAX_WANTED)
      this.#parts.wantWhole(`${missing.length} parts of the outline are lacking`);
    else if (!this.#hasOutline) want(missing);
    this.#hasOutline = true;
    this.#held = held;
    if (resolved.kind === 'missing') return { type: 'incomplete' };
    return this.#table(true, () => enforcement.replace(resolved.table));
  }

  #readOlder(frame: InjectorFrameV1, tables: OlderTables): Word {
    switch (frame.type) {
      case 'snapshot':
        this.#check(frame.table);
        return this.#table(true, () => tables.replace(frame.table));
      case 'delta':
        return this.#table(false, () => tables.apply(frame.delta));
      case 'identity':
        // It does not say which pod is meant: the table may still have the one before. Names with UIDs come in the tables.
        return { type: 'identity', identified: [frame.address, frame.pod, undefined] };
      default:
        return frame;
    }
  }

  #table(isWhole: boolean, put: () => number): Extract<Word, { readonly type: 'table' }> {
    const enforce = (): number => {
      const ended = put();
      this.#newest = this.#parts.enforcement.revision;
      this.#held = undefined;
      return ended;
    };
    return { type: 'table', isWhole, enforce };
  }

  #check({ subject, revision }: Checked): void {
    // Another pod's table would admit and deny the wrong peers.
    const { namespace, name } = this.#parts.pod;
    if (subject.namespace !== namespace || subject.name !== name)
      throw new SluiceError(
        'TABLE_MALFORMED',
        `a table of ${subject.namespace}/${subject.name} came to ${namespace}/${name}`,
      );
    // What one injector says later is never older: an old frame would bring back what has been taken away.
    if (revision < this.#newest)
      throw new SluiceError('TABLE_GAP', `revision ${revision} came after revision ${this.#newest}`);
  }
}
