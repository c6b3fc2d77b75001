/** One file of SQLite: what was counted within one day of UTC, in steps of one length. */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { Recent } from '../../../common/recent.ts';
import { type EdgeSums, LOST_PLACES, type LostWhere, type Said, saidForm } from '../sums/index.ts';

/** Of the tables below: a file of another version is not read, and a new one takes its place. */
const VERSION = 1;

/** Numbers of edges that are remembered, some 600 bytes each: others are looked up. */
const MAX_REMEMBERED = 50_000;

/** The write-ahead log is cut to this after it has been taken in, bytes. */
const WAL_BYTES = 4 * 1024 * 1024;

const TABLES = `
  CREATE TABLE edges(id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, said TEXT) STRICT;
  CREATE TABLE sums(
    t INTEGER NOT NULL, edge INTEGER NOT NULL, flows REAL NOT NULL, packets REAL NOT NULL, sent REAL NOT NULL,
    received REAL NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, src_pod TEXT NOT NULL, dst_pod TEXT NOT NULL,
    PRIMARY KEY (t, edge)) STRICT, WITHOUT ROWID;
  CREATE TABLE lost(t INTEGER NOT NULL, place TEXT NOT NULL, flows REAL NOT NULL, PRIMARY KEY (t, place)) STRICT, WITHOUT ROWID;
  CREATE TABLE events(t INTEGER NOT NULL, pod TEXT NOT NULL, record TEXT NOT NULL) STRICT;
  CREATE INDEX events_by_time ON events(t);
  PRAGMA user_version = ${VERSION};
`;

const PUT_EDGE = 'INSERT INTO edges(key) VALUES (?) ON CONFLICT DO NOTHING';
const FIND_EDGE = 'SELECT id FROM edges WHERE key = ?';
const PUT_SAID = 'UPDATE edges SET said = ?2 WHERE id = ?1 AND said IS NOT ?2';
const PUT_SUMS = `INSERT INTO sums VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
  flows = flows + excluded.flows, packets = packets + excluded.packets, sent = sent + excluded.sent,
  received = received + excluded.received, first = min(first, excluded.first), last = max(last, excluded.last),
  src_pod = iif(src_pod = excluded.src_pod, src_pod, ''), dst_pod = iif(dst_pod = excluded.dst_pod, dst_pod, '')`;
const PUT_LOST = 'INSERT INTO lost VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET flows = flows + excluded.flows';
const PUT_EVENT = 'INSERT INTO events VALUES (?, ?, ?)';
const READ_SUMS = `SELECT key, said, total(flows) AS flows, total(packets) AS packets, total(sent) AS sent,
    total(received) AS received, min(first) AS first, max(last) AS last,
    iif(min(src_pod) = max(src_pod), min(src_pod), '') AS src_pod, iif(min(dst_pod) = max(dst_pod), min(dst_pod), '') AS dst_pod
  FROM sums JOIN edges ON id = edge WHERE t >= ? AND t < ? GROUP BY edge`;
const READ_LOST = 'SELECT place, total(flows) AS flows FROM lost WHERE t >= ? AND t < ? GROUP BY place';
const OLDEST = 'SELECT min(t) AS t FROM (SELECT min(t) AS t FROM sums UNION ALL SELECT min(t) FROM lost)';

/** A single flow that was denied, cut or audited. */
export interface StoredEvent {
  readonly atMs: number;
  /** `namespace/name` of the pod whose sidecar reported it. */
  readonly pod: string;
  /** Its record, JSON. */
  readonly record: string;
}

/** What is written in one transaction. */
export interface DayBatch {
  /** Begin of a step, an edge's key, its sums. */
  readonly sums: Iterable<readonly [number, string, EdgeSums]>;
  readonly lost: Iterable<readonly [number, LostWhere, number]>;
  readonly events: Iterable<StoredEvent>;
  /** What was said of the latest flow of an edge. */
  readonly saidOf: (key: string) => Said | undefined;
}

/** An open file. Every call may throw an error of SQLite; the file is then to be closed. */
export class DayFile {
  readonly #db: DatabaseSync;
  readonly #statements: Readonly<
    Record<'putEdge' | 'findEdge' | 'putSaid' | 'putSums' | 'putLost' | 'putEvent', StatementSync>
  >;
  readonly #ids = new Recent<string, number>(MAX_REMEMBERED);

  /** Opens a file, and makes it where there is none. */
  constructor(path: string) {
    this.#db = new DatabaseSync(path);
    try {
      this.#db.exec(
        `PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = ${WAL_BYTES};`,
      );
      const version = this.#db.prepare('PRAGMA user_version').get()?.user_version;
      if (version === 0) this.#inTransaction(() => this.#db.exec(TABLES));
      else if (version !== VERSION) throw new OtherVersion(`is of version ${version}, not ${VERSION}`);
      const prepare = (sql: string) => this.#db.prepare(sql);
      this.#statements = {
        putEdge: prepare(PUT_EDGE),
        findEdge: prepare(FIND_EDGE),
        putSaid: prepare(PUT_SAID),
        putSums: prepare(PUT_SUMS),
        putLost: prepare(PUT_LOST),
        putEvent: prepare(PUT_EVENT),
      };
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  /** All or nothing. */
  write(batch: DayBatch): void {
    this.#inTransaction(() => {
      const { putSums, putLost, putEvent } = this.#statements;
      for (const [t, key, sums] of batch.sums) {
        const { flows, packets, sent, received, first, last, srcPod, dstPod } = sums;
        const edge = this.#edge(key, batch.saidOf(key));
        putSums.run(t, edge, flows, packets, sent, received, first, last, srcPod, dstPod);
      }
      for (const [t, where, flows] of batch.lost) putLost.run(t, where, flows);
      for (const { atMs, pod, record } of batch.events) putEvent.run(atMs, pod, record);
    });
  }

  /** Sums of a span by edge; `untilMs` is not in it. */
  *read(sinceMs: number, untilMs: number): Generator<[string, EdgeSums]> {
    for (const row of this.#db.prepare(READ_SUMS).iterate(sinceMs, untilMs)) {
      const said = row.said === null ? undefined : saidForm.readJson(String(row.said), 'said', fault);
      yield [
        String(row.key),
        {
          srcPod: String(row.src_pod),
          dstPod: String(row.dst_pod),
          first: Number(row.first),
          last: Number(row.last),
          flows: bounded(row.flows),
          packets: bounded(row.packets),
          sent: bounded(row.sent),
          received: bounded(row.received),
          ...(said === undefined ? {} : { said }),
        },
      ];
    }
  }

  lost(sinceMs: number, untilMs: number): readonly [LostWhere, number][] {
    const rows = this.#db.prepare(READ_LOST).all(sinceMs, untilMs);
    return rows.flatMap(({ place, flows }): [LostWhere, number][] => {
      const where = LOST_PLACES.find((known) => known === place);
      return where === undefined ? [] : [[where, bounded(flows)]];
    });
  }

  /** The latest events of a span, the newest first. */
  events(sinceMs: number, untilMs: number, limit: number): readonly StoredEvent[] {
    const sql = 'SELECT t, pod, record FROM events WHERE t >= ? AND t < ? ORDER BY t DESC LIMIT ?';
    const rows = this.#db.prepare(sql).all(sinceMs, untilMs, limit);
    return rows.map(({ t, pod, record }) => ({ atMs: Number(t), pod: String(pod), record: String(record) }));
  }

  /** Begin of the first step that has anything; undefined: none has. */
  get oldestMs(): number | undefined {
    const t = this.#db.prepare(OLDEST).get()?.t;
    return typeof t === 'number' ? t : undefined;
  }

  close(): void {
    this.#db.close();
  }

  #edge(key: string, said: Said | undefined): number {
    const { putEdge, findEdge, putSaid } = this.#statements;
    let id = this.#ids.get(key);
    if (id === undefined) {
      putEdge.run(key);
      id = Number(findEdge.get(key)?.id);
      this.#ids.keep(key, id);
    }
    if (said !== undefined) putSaid.run(id, JSON.stringify(said));
    return id;
  }

  #inTransaction(work: () => void): void {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      work();
      this.#db.exec('COMMIT');
    } catch (error) {
      this.#ids.clear(); // numbers that were given are taken back
      try {
        this.#db.exec('ROLLBACK');
      } catch {
        // SQLite has rolled back by itself, as when the disk is full.
      }
      throw error;
    }
  }
}

/** A file of another release. */
export class OtherVersion extends Error {}

function fault(problem: string): Error {
  return new OtherVersion(problem);
}

/** Sums are added as floating point, so that none leaves the form. */
function bounded(value: unknown): number {
  return Math.min(Math.round(Number(value)), Number.MAX_SAFE_INTEGER);
}
