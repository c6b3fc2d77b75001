/** What the injector's main thread and the collector's worker say to each other. Both are of one process: nothing is checked. */
import type { FlowQuestion, ObservedFlow } from '../../flows/index.ts';
import type { ChangeOrder, EndpointSlice, Node, Pod, Service } from '../../policy/index.ts';
import type { CommittedChanges } from '../changes/index.ts';
import type { LostWhere } from './sums/index.ts';

/** Where and for how long flows are kept. */
export interface FlowSettings {
  /** Folder of the store; absent: flows are kept in memory alone, for 15 minutes. */
  readonly dir?: string;
  /** How long minutes are kept, hours. */
  readonly minutesHours: number;
  /** How long hours and single events are kept, days. */
  readonly hoursDays: number;
  /** Size of all files together, MiB. */
  readonly maxMegabytes: number;
}

/** An object that has changed; absent: it is gone. */
export interface Changed<T> {
  readonly key: string;
  readonly object?: T;
}

/** To the worker, in the order in which things happen. */
export type ToWorker =
  /** @param isFirst they were there before the collector began */
  | {
      readonly type: 'pods';
      readonly changes: readonly Changed<Pod>[];
      readonly order: ChangeOrder;
      readonly isFirst: boolean;
    }
  | { readonly type: 'nodes'; readonly changes: readonly Changed<Node>[] }
  | { readonly type: 'services'; readonly changes: readonly Changed<Service>[] }
  | { readonly type: 'slices'; readonly changes: readonly Changed<EndpointSlice>[] }
  /** The revision after which all changes follow. */
  | { readonly type: 'begin'; readonly revision: number }
  /** What may end flows. */
  | { readonly type: 'changes'; readonly committed: CommittedChanges }
  | {
      readonly type: 'line';
      readonly namespace: string;
      readonly pod: string;
      readonly line: Uint8Array<ArrayBuffer>;
    }
  | { readonly type: 'lost'; readonly lost: readonly (readonly [LostWhere, number])[] }
  | { readonly type: 'ask'; readonly id: number; readonly question: FlowQuestion }
  | { readonly type: 'follow'; readonly id: number; readonly question: FlowQuestion }
  | { readonly type: 'unfollow'; readonly id: number }
  | { readonly type: 'close' };

/** How the collector is. */
export interface CollectorStats {
  /** Flows that were lost since the last word. */
  readonly lost: readonly (readonly [LostWhere, number])[];
  /** Single events without a place since the last word. */
  readonly eventsLost: number;
  readonly storeBytes: number;
  /** Ms since 1970; absent: nothing is kept yet. */
  readonly oldestMs?: number;
  readonly fails: boolean;
}

/** From the worker. */
export type FromWorker =
  /** Lines have been taken from the queue. */
  | { readonly type: 'took'; readonly bytes: number }
  /** @param json an `ObservedAnswer`, transferred: to copy thousands of edges would be a long turn of the main thread */
  | { readonly type: 'answer'; readonly id: number; readonly json: Uint8Array<ArrayBuffer> }
  | { readonly type: 'failed'; readonly id: number; readonly message: string }
  /** @param missed edges of the same turn that are left out */
  | {
      readonly type: 'edges';
      readonly id: number;
      readonly edges: readonly ObservedFlow[];
      readonly missed: number;
    }
  | { readonly type: 'stats'; readonly stats: CollectorStats }
  /** The store fails, or goes on. */
  | { readonly type: 'store'; readonly problem?: string }
  /** A sidecar has sent what is no window. */
  | { readonly type: 'bad-line'; readonly pod: string; readonly message: string }
  | { readonly type: 'closed' };
