/** The rules. A new one is a file here, a line in `all.ts`, and a folder of the corpus. */

export { RULES, ruleOf } from './all.ts';
export { type Dns, dnsOf, mayAskNames } from './dns.ts';
