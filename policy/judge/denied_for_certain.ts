/** Where a denial ends something that nobody can bring back, it has to be certain. */
import type { Direction, Protocol } from '../model.ts';
import type { Judge } from './judge.ts';

/** Whether a table denies a peer, and knows all that has to be known of it: no partial group may still have it. */
export function isDeniedForCertain(
  judge: Judge,
  direction: Direction,
  peer: string,
  protocol: Protocol,
  port: number,
): boolean {
  if (judge.judge(direction, peer, protocol, port).verdict === 'allow') return false;
  return !judge.isUnsure(direction, peer, protocol, port);
}
