/** What the panel at the side is about. */

/** An end or a link of the map, or a kind of flows of a list. */
export type Selection = { readonly kind: 'end' | 'link' | 'flow'; readonly id: string };
