/** Works out from a pod's table which addresses may reach which ports, and what changes from one table to the next. Pure. */

export { type Access, isAllPorts, rangeText } from './access.ts';
export { coarseRanges } from './coarse_ranges.ts';
export { type GateChange, gateChanges } from './gate_changes.ts';
export { overBounds } from './over_bounds.ts';
export { CLOSED_REVISION, closedPlan, type GatePlan, socketElement } from './plan.ts';
export { GatePlanner } from './planner.ts';
export { NO_SERVICES, type PlannedPort, type ServicePlan } from './service_plan.ts';
export { atOnce, Pace, type Steps } from './steps.ts';
