/** What people read when a table is more than the gate takes. */
import type { GatePlan } from './plan.ts';

/** One text for each kind; none where all is within the bounds. */
export function overBounds({ ingress, egress }: GatePlan): readonly string[] {
  const directions = [
    { name: 'ingress', isOver: ingress.isOverBounds },
    { name: 'egress', isOver: egress.isOverBounds },
  ].filter(({ isOver }) => isOver);
  const { shortened } = egress.services;
  return [
    ...directions.map(
      ({ name }) =>
        `the ${name} rules are more than the gate takes: some addresses are denied what policy allows; use fewer rules whose address blocks overlap with other ports`,
    ),
    ...(shortened === 0
      ? []
      : [
          `${shortened} virtual ports of Services use some of their backends only: all are more than the gate takes`,
        ]),
  ];
}
