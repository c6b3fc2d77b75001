/** The forms of observed flows: what sidecars send, the injector keeps, and commands show. */

export {
  END_KINDS,
  type NearRule,
  type ObservedAnswer,
  type ObservedEnd,
  type ObservedFlow,
  observedAnswer,
  observedFlow,
} from './answer.ts';
export { type FlowTest, flowTest } from './match.ts';
export { type FlowQuestion, flowQuestion, GROUPS, MAX_EDGES } from './question.ts';
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
  flowWindow,
  OTHER_PEERS,
  OUTCOMES,
  type Outcome,
} from './window.ts';
