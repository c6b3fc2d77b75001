/** What ends and links of the map have in common. */

/** Of one of them. */
export interface ItemProps {
  /** For `data-item`. */
  readonly id: string;
  readonly tabIndex: number;
  readonly isSelected: boolean;
  /** Has nothing to do with the selection. */
  readonly isDim: boolean;
  onPick(): void;
  onFocus(): void;
}
