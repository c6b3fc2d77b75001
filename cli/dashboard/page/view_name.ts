/** The views. */

/** In their order. */
export const VIEWS = [
  { name: 'map', title: 'Map' },
  { name: 'denied', title: 'Denied' },
  { name: 'policies', title: 'Policies' },
  { name: 'pods', title: 'Pods' },
] as const;

/** One of them. */
export type ViewName = (typeof VIEWS)[number]['name'];

/** The one of the address; the first where it names none. */
export function viewOfHash(hash: string): ViewName {
  return VIEWS.find(({ name }) => hash === `#${name}`)?.name ?? VIEWS[0].name;
}
