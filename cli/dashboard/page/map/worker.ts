/** The layout runs beside the page, so that the page answers meanwhile. */
import { layoutOf } from './layout.ts';
import type { LayoutInput } from './places.ts';

addEventListener(
  'message',
  ({ data }: MessageEvent<{ readonly id: number; readonly input: LayoutInput }>) => {
    try {
      postMessage({ id: data.id, layout: layoutOf(data.input) });
    } catch (error) {
      postMessage({ id: data.id, problem: String(error) });
    }
  },
);
