/** How far something is scrolled, and how much of it is seen. */
import type { RefObject } from 'preact';
import { useEffect, useState } from 'preact/hooks';

/** CSS px. */
export interface Scroll {
  readonly top: number;
  readonly left: number;
  readonly width: number;
  readonly height: number;
}

/** Until it is known, a screen. */
const AT_FIRST: Scroll = { top: 0, left: 0, width: 1_600, height: 1_000 };

/** Changes at most once a frame. */
export function useScroll(scroller: RefObject<HTMLElement | null>): Scroll {
  const [scroll, setScroll] = useState(AT_FIRST);
  useEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    let frame = 0;
    const read = () => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() =>
        setScroll({
          top: element.scrollTop,
          left: element.scrollLeft,
          width: element.clientWidth,
          height: element.clientHeight,
        }),
      );
    };
    const watch = new ResizeObserver(read);
    watch.observe(element);
    element.addEventListener('scroll', read, { passive: true });
    return () => {
      cancelAnimationFrame(frame);
      watch.disconnect();
      element.removeEventListener('scroll', read);
    };
  }, [scroller]);
  return scroll;
}
