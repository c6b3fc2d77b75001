/** What is to be placed on the map, and where it is. */

/** An end to be placed. */
export interface LayoutEnd {
  readonly id: string;
  readonly group: string;
  readonly width: number;
  readonly height: number;
}

/** A link to be placed. */
export interface LayoutLink {
  readonly id: string;
  readonly from: string;
  readonly to: string;
}

/** What is asked of the worker. */
export interface LayoutInput {
  readonly ends: readonly LayoutEnd[];
  readonly links: readonly LayoutLink[];
}

/** A place. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A rectangle; `x` and `y` are its middle. */
export interface Box extends Point {
  readonly width: number;
  readonly height: number;
}

/** Where all of it is. */
export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly ends: ReadonlyMap<string, Box>;
  readonly groups: ReadonlyMap<string, Box>;
  readonly links: ReadonlyMap<string, { readonly points: readonly Point[]; readonly label: Point }>;
}
