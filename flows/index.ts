/** The forms of observed flows: what sidecars send, the injector keeps, and commands show. */

export {
  END_KINDS,
  type ObservedAnswer,
  type ObservedEnd,
  type ObservedFlow,
  observedAnswer,
  observedFlow,
} from './answer.ts';
export {
  ASKERS_ACCOUNT,
  ASKERS_POLICY,
  type Asker,
  askerAudiences,
  askerOf,
  FLOWS_AUDIENCE,
  FLOWS_GROUP,
  FLOWS_RESOURCE,
  FLOWS_TOKEN_HEADER,
  FLOWS_TOKEN_SECONDS,
  OBSERVE_PATH,
  OPERATOR_PORT_NAME,
  selfReview,
} from './asker.ts';
export { type FlowTest, flowTest } from './match.ts';
export { type NearRule, nearRule } from './near_rule.ts';
export {
  type FlowQuestion,
  flowQuestion,
  GROUPS,
  MAX_ASKED,
  MAX_ASKED_CHARS,
  MAX_EDGES,
} from './question.ts';
export {
  type AllowedBefore,
  allowedBefore,
  CUT_ENDS,
  FLOW_ENDS,
  type FlowEnd,
  type FlowRecord,
  type FlowSide,
  flowRecord,
  type KeptRecord,
  keptRecord,
  type NamedChange,
  namedChange,
  REFUSAL_REASONS,
  type RefusalReason,
  VERDICT_REASONS,
} from './record.ts';
export {
  addLost,
  FlowSelection,
  type LostFlows,
  mergeAnswers,
  type SelectedFlows,
  selectFlows,
} from './select.ts';
export { endKey, type Group, joinEnds } from './together.ts';
export {
  type FlowCount,
  type FlowWindow,
  fitsAsEvent,
  flowWindow,
  MAX_COUNTS,
  MAX_EVENT_BYTES,
  MAX_EVENTS,
  OTHER_PEERS,
  OUTCOMES,
  type Outcome,
} from './window.ts';
