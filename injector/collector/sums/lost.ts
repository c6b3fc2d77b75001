/** Flows that the collector does not have, by where they were lost. */

/** By place, a label of `sluice_flows_lost_total`: what an answer says of it. */
export const LOST_WHY = {
  sidecar: 'sidecars had no place for them, or could not send them',
  size: 'lines of sidecars were longer than 256 kB',
  rate: 'sidecars sent more than 64 kB a second',
  queue: 'the collector was behind by 8 MB',
  away: 'the collector had failed, and was started again',
  form: 'lines of sidecars were not of the form that this injector knows',
  kinds: 'there were too many kinds of flows at a time',
  minutes: 'the store could not be written, in minutes',
  hours: 'the store could not be written, in hours',
} as const;

/** A place where flows are lost. */
export type LostWhere = keyof typeof LOST_WHY;

/** All of them. */
export const LOST_PLACES = Object.keys(LOST_WHY) as readonly LostWhere[]; // the keys of a constant

/** Flows by place. */
export type LostByWhere = ReadonlyMap<LostWhere, number>;

/** Adds to a count by place. */
export function addLostAt(lost: Map<LostWhere, number>, where: LostWhere, flows: number): void {
  if (flows > 0) lost.set(where, (lost.get(where) ?? 0) + flows);
}
