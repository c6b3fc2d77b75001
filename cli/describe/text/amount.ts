/** How much is printed. */
export interface Amount {
  readonly wide: boolean;
}
