/** What Sluice is to reach, and whether it does. Each target is a ratio within one run, but the time to cut and the memory of a flow. */
import { MOST_PEERS } from '../paths/gated.ts';
import { ratioOf } from '../statistics.ts';
import { metricOf, type Results } from './results.ts';

/** One target. */
export interface Target {
  readonly title: string;
  readonly metric: string;
  /** Which path is judged; absent: Sluice with its default relay. */
  readonly path?: string;
  /** The path it is compared with; absent: the median itself is judged, in the metric's unit. */
  readonly against?: string;
  readonly bound: 'at least' | 'at most';
  readonly value: number;
}

/** Whether a target was reached. */
export interface Judged extends Target {
  /** The ratio, or the median; undefined where it was not measured. */
  readonly reached: number | undefined;
  readonly met: boolean | undefined;
}

/** Sluice's direct path is compared with no rules at all. */
const SLUICE_DIRECT = 'sluice-direct';
const NO_RULES = 'direct';

const HAPROXY = 'haproxy-splice';
const ENVOY = 'envoy';

const BULK: readonly (readonly [string, string])[] = [
  ['1_up', '1 stream up'],
  ['8_up', '8 streams up'],
  ['1_down', '1 stream down'],
  ['8_down', '8 streams down'],
];

/** All targets. */
const TARGETS: readonly Target[] = [
  // One stream through a relay in user space has no target against HAProxy: the relay is not its limit.
  ...BULK.flatMap(([id, title]): Target[] => [
    ...(id.startsWith('8') ? [target(`Bulk, ${title}`, `bulk_${id}`, HAPROXY, 'at least', 1.15)] : []),
    target(`Bulk, ${title}`, `bulk_${id}`, ENVOY, 'at least', 1.2),
  ]),
  ...BULK.map(([id, title]) => target(`CPU per Gbit, ${title}`, `bulk_${id}_cpu`, HAPROXY, 'at most', 0.88)),
  target('Round trip p50', 'round_trip_p50', HAPROXY, 'at most', 1),
  target('Round trip p99', 'round_trip_p99', HAPROXY, 'at most', 1.1),
  target('Connect-request-close, rate', 'connections_rate', HAPROXY, 'at least', 1),
  target('Connect-request-close, p99', 'connections_p99', HAPROXY, 'at most', 1.1),
  target('Memory, idle', 'memory_idle', ENVOY, 'at most', 1),
  target('Memory per flow, user space', 'memory_flow', HAPROXY, 'at most', 1),
  ...[512, 4096, 32_768, 262_144, 1_048_576].flatMap((bytes): Target[] =>
    ([200, 1000] as const).map((count) => ({
      title: `${count} policies, ${bytes} bytes`,
      metric: `policies_${bytes}`,
      path: `policies-${count}`,
      against: 'policies-0',
      bound: 'at most',
      value: count === 200 ? 1.02 : 1.05,
    })),
  ),
  ...cut(),
  ...BULK.map(([id, title]) => direct(`Bulk, ${title}`, `bulk_${id}`, 'at least', 0.97)),
  direct('HTTP keep-alive, rate', 'keep_alive_rate', 'at least', 0.95),
  direct('Round trip p50', 'round_trip_p50', 'at most', 1.05),
  direct('Round trip p99', 'round_trip_p99', 'at most', 1.15),
  direct('Connect-request-close, rate', 'connections_rate', 'at least', 0.8),
  {
    title: 'CPU per 1,000 connections',
    metric: 'connections_cpu',
    path: SLUICE_DIRECT,
    against: 'sluice-splice',
    bound: 'at most',
    value: 0.4,
  },
  {
    title: 'Memory per further flow in kB, user space',
    metric: 'memory_flow_more',
    path: SLUICE_DIRECT,
    bound: 'at most',
    value: 0.3,
  },
  ...cut(SLUICE_DIRECT),
  {
    title: 'Established TCP packets through the gate',
    metric: 'packets_tcp',
    path: MOST_PEERS,
    against: NO_RULES,
    bound: 'at least',
    value: 0.97,
  },
];

/** Judges every target by the results. */
export function judge(results: Pick<Results, 'figures' | 'subject'>): readonly Judged[] {
  return TARGETS.map((target) => {
    const reached = reachedBy(results, target);
    if (reached === undefined) return { ...target, reached, met: undefined };
    return {
      ...target,
      reached,
      met: target.bound === 'at least' ? reached >= target.value : reached <= target.value,
    };
  });
}

function reachedBy(results: Pick<Results, 'figures' | 'subject'>, target: Target): number | undefined {
  const paths = metricOf(results, target.metric)?.paths ?? {};
  const own = paths[target.path ?? results.subject];
  if (own === undefined || target.against === undefined) return own?.median;
  const other = paths[target.against];
  return other === undefined ? undefined : ratioOf(own, other).ratio;
}

/** Of the direct path, against no rules at all. */
function direct(title: string, metric: string, bound: Target['bound'], value: number): Target {
  return { title, metric, path: SLUICE_DIRECT, against: NO_RULES, bound, value };
}

/** How soon flows are cut. @param path absent: Sluice with its default relay */
function cut(path?: string): readonly Target[] {
  const own = path === undefined ? {} : { path };
  return [
    { title: '1,000 flows cut, p99 in ms', metric: 'cut_p99', ...own, bound: 'at most', value: 60 },
    { title: '10,000 flows cut, p99 in ms', metric: 'cut_many_p99', ...own, bound: 'at most', value: 400 },
  ];
}

function target(
  title: string,
  metric: string,
  against: string,
  bound: Target['bound'],
  value: number,
): Target {
  return { title, metric, against, bound, value };
}
