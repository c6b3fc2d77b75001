/** What is added up: kinds of flows, their sums, and what was lost. */

export { EdgeMap } from './edge_map.ts';
export {
  addSums,
  type EdgeKind,
  type EdgeSums,
  edgeKey,
  edgeOf,
  observedEdge,
  type Said,
  saidForm,
} from './edges.ts';
export { addLostAt, LOST_PLACES, LOST_WHY, type LostByWhere, type LostWhere } from './lost.ts';
