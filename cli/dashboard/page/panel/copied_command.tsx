/** A command to be copied. */
import { useState } from 'preact/hooks';

/** How long the button says that it was done, ms. */
const SAID_MS = 1_500;

/** The command as text, and a button. */
export function CopiedCommand({ command }: { readonly command: string }) {
  const [said, setSaid] = useState('Copy');
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(command);
      setSaid('Copied');
    } catch {
      setSaid('Not allowed');
    }
    setTimeout(() => setSaid('Copy'), SAID_MS);
  };
  return (
    <div class="command">
      <code>{command}</code>
      <button type="button" onClick={copy} aria-live="polite">
        {said}
      </button>
    </div>
  );
}
