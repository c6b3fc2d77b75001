/** Arrow keys in a table whose rows have one button each. */

/** Moves the focus from the button of a row to that of the one above or below. */
export function onRowKeys(event: KeyboardEvent): void {
  const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
  if (step === 0 || !(event.target instanceof HTMLElement)) return;
  const buttons = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>('[data-row]')];
  const next = buttons[buttons.indexOf(event.target) + step];
  if (next === undefined) return;
  next.focus();
  event.preventDefault();
}
