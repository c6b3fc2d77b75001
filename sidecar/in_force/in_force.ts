/**
 * What is in force: one state, one function from a state and an event to the next, and what follows from a state. Pure;
 * `machine.ts` holds the state.
 *
 *   nothing ──table──► proxy only ──gate, cut, disk, redirect──► all
 *                        ▲    ▲                                   │
 *                        │    └────────────── table ──────────────┤
 *                        └── it is back ── less ◄── gate or redirect lost
 */
import { unreachable } from '../../common/errors.ts';
import type { Family } from '../../common/net.ts';

/** The rules in the kernel. */
export type GateState =
  /** Not asked to enforce a table yet: the redirect step has left the gate closed. */
  | { readonly state: 'closed' }
  /** The kernel enforces the table of this revision. */
  | { readonly state: 'in-force'; readonly revision: number }
  /** The last transaction failed. The rules of `revision` stay in the kernel, 0 for closed ones; it is tried again. */
  | { readonly state: 'old-rules'; readonly revision: number; readonly problem: string }
  /** The rules are not in the kernel any more, or not all of them. They are put in again as soon as that works. */
  | { readonly state: 'gone'; readonly problem: string }
  /** No nft in the kernel or the image: TCP is refused after accept; UDP, SCTP and egress are not enforced. */
  | { readonly state: 'unavailable'; readonly problem: string };

/** The redirect, as the canary has seen it last. */
export type RedirectState =
  | { readonly state: 'unchecked' }
  | { readonly state: 'intact' }
  | { readonly state: 'lost'; readonly problem: string };

/** The proxy's listeners. They are no blocker of their own: the redirect is checked only when they are there. */
export type ProxyState =
  | { readonly state: 'closed' }
  /** Connections of these families are accepted. */
  | { readonly state: 'listening'; readonly families: readonly Family[] };

/** What a table waits for, in this order: rules in the kernel, the end of what they forbid, a copy on disk. */
export type Step = 'gate' | 'cut' | 'disk' | 'done';

/** The whole state. */
export interface InForce {
  /** The table that the proxy judges by. `change` counts tables: two may have the same revision. */
  readonly table:
    | { readonly change: number; readonly revision: number; readonly isolatesEgress: boolean }
    | undefined;
  readonly step: Step;
  readonly gate: GateState;
  /** The kernel has enforced a table of this process. */
  readonly hadGate: boolean;
  readonly proxy: ProxyState;
  readonly redirect: RedirectState;
  /** What the kernel lacks for the redirect and what follows from it, for people. It blocks nothing. */
  readonly redirectLimits: readonly string[];
  /** The revision that was acknowledged to the injector, and still holds; 0: none. */
  readonly acknowledged: number;
}

/** At the start. */
export const NOTHING_IN_FORCE: InForce = {
  table: undefined,
  step: 'gate',
  gate: { state: 'closed' },
  hadGate: false,
  proxy: { state: 'closed' },
  redirect: { state: 'unchecked' },
  redirectLimits: [],
  acknowledged: 0,
};

/** What may happen. */
export type InForceEvent =
  /** The proxy judges by another table, and what it forbids has been ended there. */
  | { readonly event: 'table'; readonly revision: number; readonly isolatesEgress: boolean }
  /** The kernel has the rules of a table. */
  | { readonly event: 'gate-in-force'; readonly change: number; readonly revision: number }
  /** The kernel has closed rules: there is no table yet. */
  | { readonly event: 'gate-closed' }
  /** A transaction failed; `rules` says what the kernel has now. */
  | { readonly event: 'gate-failed'; readonly rules: 'stay' | 'gone'; readonly problem: string }
  /** There is no nft. */
  | { readonly event: 'gate-unavailable'; readonly rules: 'stay' | 'gone'; readonly problem: string }
  /** Outbound connections that the table forbids have been ended, after the gate was shut to them. */
  | { readonly event: 'cut'; readonly change: number }
  /** The table is on disk, or the log says why not. */
  | { readonly event: 'kept'; readonly change: number }
  /** The proxy listens. */
  | { readonly event: 'listening'; readonly families: readonly Family[] }
  /** The canary came through, or not. */
  | { readonly event: 'redirect'; readonly problem: string | undefined }
  /** The rules of the redirect have been looked at, one by one. */
  | { readonly event: 'redirect-verified'; readonly limits: readonly string[] };

/** What is to be done on a transition. */
export type Effect =
  | { readonly effect: 'program'; readonly change: number }
  | { readonly effect: 'cut'; readonly change: number }
  | { readonly effect: 'keep'; readonly change: number }
  /** Says to the injector which revision is enforced; 0 takes back what was said before. */
  | { readonly effect: 'acknowledge'; readonly revision: number }
  /** The redirect is lost: the gate's rules may have gone with it, or its rules lead to a port that the proxy has left. */
  | { readonly effect: 'look-for-cause' };

/** The four phases; see the drawing above. */
export type Phase = 'nothing' | 'proxy-only' | 'all' | 'less';
export const PHASES: readonly Phase[] = ['nothing', 'proxy-only', 'all', 'less'];

/** One reason why a pod is not ready. `name` is for machines, `problem` for people. */
export interface Blocker {
  readonly name: 'table' | 'gate' | 'cut' | 'disk' | 'redirect';
  readonly problem: string;
}

const GATE_TO_COME: Blocker = { name: 'gate', problem: 'the kernel is about to get the table' };

/** Which of the four phases a state is in. Only `all` is acknowledged. */
export function phase(state: InForce): Phase {
  if (state.table === undefined) return 'nothing';
  if (isLess(state)) return 'less';
  return state.step === 'done' && state.redirect.state === 'intact' ? 'all' : 'proxy-only';
}

/** Whether the kernel judges by the table that the proxy judges by. */
export function isGateCurrent({ gate, step }: InForce): boolean {
  return gate.state === 'in-force' && step !== 'gate';
}

/** The next state. */
export function next(before: InForce, event: InForceEvent): InForce {
  const after = moved(before, event);
  const now = phase(after);
  if (now === 'all') return { ...after, acknowledged: after.table?.revision ?? 0 };
  // While a new table is on its way, the acknowledgement of the one before still holds. A loss takes it back.
  return now === 'less' ? { ...after, acknowledged: 0 } : after;
}

/** What a transition asks for. */
export function effects(before: InForce, after: InForce): readonly Effect[] {
  const found: Effect[] = [];
  const { table, step } = after;
  const isNew = table !== undefined && table.change !== before.table?.change;
  if (table !== undefined && isNew) found.push({ effect: 'program', change: table.change });
  if (table !== undefined && (isNew || step !== before.step)) {
    if (step === 'cut') found.push({ effect: 'cut', change: table.change });
    if (step === 'disk') found.push({ effect: 'keep', change: table.change });
  }
  if (phase(after) === 'all' && phase(before) !== 'all')
    found.push({ effect: 'acknowledge', revision: after.acknowledged });
  if (after.acknowledged === 0 && before.acknowledged !== 0)
    found.push({ effect: 'acknowledge', revision: 0 });
  // Each time that the canary fails: what was tried before may have failed as well.
  if (after.redirect.state === 'lost' && after.redirect !== before.redirect)
    found.push({ effect: 'look-for-cause' });
  return found;
}

/**
 * Why the pod is not ready; empty when it is. A table that follows another makes no pod unready while it is on its way:
 * that takes milliseconds, and what was acknowledged holds meanwhile.
 */
export function blockers(state: InForce): readonly Blocker[] {
  const { table, step, gate, redirect } = state;
  const found: Blocker[] = [];
  const isFirst = table !== undefined && state.acknowledged === 0;
  if (table === undefined) found.push({ name: 'table', problem: 'no table yet: everything is denied' });
  switch (gate.state) {
    case 'closed':
    case 'in-force':
      if (isFirst && step === 'gate') found.push(GATE_TO_COME);
      break;
    case 'old-rules':
      found.push({ name: 'gate', problem: `the rules of an older table stay: ${gate.problem}` });
      break;
    case 'gone':
      found.push({ name: 'gate', problem: `no rules in the kernel: ${gate.problem}` });
      break;
    case 'unavailable':
      if (table?.isolatesEgress)
        found.push({ name: 'gate', problem: `egress is not enforced: ${gate.problem}` });
      else if (isFirst && step === 'gate') found.push(GATE_TO_COME);
      break;
    default:
      unreachable(gate);
  }
  if (isFirst && step === 'cut')
    found.push({ name: 'cut', problem: 'connections that the table forbids are being ended' });
  if (isFirst && step === 'disk') found.push({ name: 'disk', problem: 'the table is being kept on disk' });
  if (redirect.state === 'unchecked') found.push({ name: 'redirect', problem: 'not checked yet' });
  if (redirect.state === 'lost') found.push({ name: 'redirect', problem: redirect.problem });
  return found;
}

/** Something that a table needs was lost, or is not to be had. */
function isLess({ table, gate, redirect }: InForce): boolean {
  if (redirect.state === 'lost' || gate.state === 'gone') return true;
  return gate.state === 'unavailable' && table?.isolatesEgress === true;
}

function moved(state: InForce, event: InForceEvent): InForce {
  const { table, step, gate } = state;
  switch (event.event) {
    case 'table': {
      const { revision, isolatesEgress } = event;
      return {
        ...state,
        table: { change: (table?.change ?? 0) + 1, revision, isolatesEgress },
        step: 'gate',
      };
    }
    case 'gate-in-force': {
      const isLatest = event.change === table?.change;
      return {
        ...state,
        gate: { state: 'in-force', revision: event.revision },
        hadGate: true,
        step: isLatest && step === 'gate' ? 'cut' : step,
      };
    }
    case 'gate-closed':
      return { ...state, gate: { state: 'closed' }, step: 'gate', acknowledged: 0 };
    case 'gate-failed':
      // Without nft there were no rules that could go.
      return gate.state === 'unavailable' ? state : { ...state, gate: failed(gate, event), step: 'gate' };
    case 'gate-unavailable':
      // Where the kernel has rules, or had them, there is nft: something else is wrong, and it is tried again.
      if (state.hadGate || event.rules === 'stay')
        return { ...state, gate: failed(gate, event), step: 'gate' };
      return {
        ...state,
        gate: { state: 'unavailable', problem: event.problem },
        // Egress is the gate's alone. Inbound TCP the proxy judges by itself.
        step: step === 'gate' && table?.isolatesEgress === false ? 'cut' : step,
      };
    case 'cut':
      return event.change === table?.change && step === 'cut' ? { ...state, step: 'disk' } : state;
    case 'kept':
      return event.change === table?.change && step === 'disk' ? { ...state, step: 'done' } : state;
    case 'listening':
      return { ...state, proxy: { state: 'listening', families: event.families } };
    case 'redirect':
      return {
        ...state,
        redirect:
          event.problem === undefined ? { state: 'intact' } : { state: 'lost', problem: event.problem },
      };
    case 'redirect-verified':
      return { ...state, redirectLimits: event.limits };
    default:
      return unreachable(event);
  }
}

/** Old rules that stay forbid no less than before; rules that are gone forbid nothing. So these are two states. */
function failed(
  before: GateState,
  { rules, problem }: { readonly rules: 'stay' | 'gone'; readonly problem: string },
): GateState {
  if (rules === 'gone') return { state: 'gone', problem };
  const revision = before.state === 'in-force' || before.state === 'old-rules' ? before.revision : 0;
  return { state: 'old-rules', revision, problem };
}
