/** Real packets: cases tried between the network namespaces of a lab. */
export { tryCases } from './try_cases.ts';
