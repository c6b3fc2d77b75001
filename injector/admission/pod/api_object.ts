/** An object as a review has it. */

/** Any object of the API. */
export type ApiObject = Readonly<Record<string, unknown>>;
