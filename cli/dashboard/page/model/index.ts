/** What the page shows, worked out without a browser: ends, links, filters, words, commands. */

export { canCommand, shellWord } from './command.ts';
export { type End, endOf, OUTSIDE, workloadEnd } from './ends.ts';
export { type Filter, flowFilter, nameFilter, pairFilter } from './filter.ts';
export { FlowStore, keyOf } from './flow_store.ts';
export { type Link, type LinkGraph, type LinkState, linkGraph, STATES } from './links.ts';
export { type RuleUse, ruleUse } from './rule_use.ts';
export {
  agoText,
  bytesText,
  countText,
  exactCount,
  portText,
  STATE_MARKS,
  STATE_WORDS,
  sentenceOf,
} from './words.ts';
