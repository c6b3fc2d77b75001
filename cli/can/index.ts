/** `sluice can`: may one end open a connection to the other? Answered from manifests alone. */

export { type Answer, type Judged, type Question, verdictOf } from './answer.ts';
export { type AnswerJson, answerJson } from './answer_json.ts';
export { answerLine, reasonsOf } from './answer_text.ts';
export { type Answerer, createAnswerer, MAX_JUDGEMENTS } from './answerer.ts';
export { reportFaults, runCan } from './can.ts';
export { scopeOfEnds } from './cluster_scope.ts';
export { type EndpointRef, parseEndpointRef } from './endpoint_ref.ts';
export type { Party } from './endpoint_resolver.ts';
export { createNearRules, type NearRule } from './near_rules.ts';
export { type NearRuleJson, nearJson, nearLines } from './near_text.ts';
export { parsePortRef } from './port_ref.ts';
export { MAX_LINE_CHARACTERS } from './text_lines.ts';
