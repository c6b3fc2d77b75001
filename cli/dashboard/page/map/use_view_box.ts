/** Moving about the map: the part of it that is seen. */
import type { RefObject } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Box } from './places.ts';

/** Small maps are not blown up beyond this. */
const MAX_SCALE = 1.15;

/** One step of a key or a button. */
const STEP = 1.25;

/** How far out and in, in sizes of the map. */
const FAR = 4;
const NEAR = 0.08;

/** A part of the map: left, top, width, height. */
export interface ViewBox {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

/** The part that is seen, and what changes it. */
export interface View {
  readonly box: ViewBox;
  /** Larger for `factor` > 1. */
  zoom(direction: 'in' | 'out'): void;
  fit(): void;
  /** Moves so that a box is seen. */
  reveal(box: Box): void;
}

/** @param width of the map; 0: nothing is drawn yet */
export function useViewBox(svg: RefObject<SVGSVGElement | null>, width: number, height: number): View {
  const [size, setSize] = useState({ w: 1, h: 1 });
  const [chosen, setChosen] = useState<ViewBox>();
  useEffect(() => {
    const element = svg.current;
    if (element === null) return;
    const watch = new ResizeObserver(([entry]) => {
      if (entry !== undefined)
        setSize({ w: Math.max(1, entry.contentRect.width), h: Math.max(1, entry.contentRect.height) });
    });
    watch.observe(element);
    return () => watch.disconnect();
  }, [svg]);
  const whole = fitted(size, width, height);
  const box = chosen ?? whole;
  const about = (factor: number, x: number, y: number) => {
    const w = Math.min(width * FAR, Math.max(width * NEAR, box.w / factor));
    const ratio = w / box.w;
    setChosen({ x: x - (x - box.x) * ratio, y: y - (y - box.y) * ratio, w, h: box.h * ratio });
  };
  useDragAndWheel(svg, box, setChosen, about);
  return {
    box,
    zoom: (direction) => about(direction === 'in' ? STEP : 1 / STEP, box.x + box.w / 2, box.y + box.h / 2),
    fit: () => setChosen(undefined),
    reveal: (target) => {
      const left = target.x - target.width / 2;
      const top = target.y - target.height / 2;
      const isSeen =
        left >= box.x &&
        top >= box.y &&
        left + target.width <= box.x + box.w &&
        top + target.height <= box.y + box.h;
      if (!isSeen) setChosen({ ...box, x: target.x - box.w / 2, y: target.y - box.h / 2 });
    },
  };
}

function fitted(size: { readonly w: number; readonly h: number }, width: number, height: number): ViewBox {
  const scale = Math.min(size.w / Math.max(1, width), size.h / Math.max(1, height), MAX_SCALE);
  const [w, h] = [size.w / scale, size.h / scale];
  return { x: (width - w) / 2, y: (height - h) / 2, w, h };
}

function useDragAndWheel(
  svg: RefObject<SVGSVGElement | null>,
  box: ViewBox,
  setBox: (box: ViewBox) => void,
  about: (factor: number, x: number, y: number) => void,
): void {
  useEffect(() => {
    const element = svg.current;
    if (element === null) return;
    const scale = () => box.w / Math.max(1, element.clientWidth);
    const onWheel = (event: WheelEvent) => {
      event.preventDefault();
      const frame = element.getBoundingClientRect();
      about(
        Math.exp(-event.deltaY / 400),
        box.x + (event.clientX - frame.left) * scale(),
        box.y + (event.clientY - frame.top) * scale(),
      );
    };
    const onDown = (event: PointerEvent) => {
      if (event.button !== 0 || (event.target as Element).closest('[data-item]') !== null) return;
      const from = { x: event.clientX, y: event.clientY };
      const ended = new AbortController();
      const { signal } = ended;
      element.setPointerCapture(event.pointerId);
      element.addEventListener(
        'pointermove',
        (move) =>
          setBox({
            ...box,
            x: box.x - (move.clientX - from.x) * scale(),
            y: box.y - (move.clientY - from.y) * scale(),
          }),
        { signal },
      );
      for (const name of ['pointerup', 'pointercancel'])
        element.addEventListener(name, () => ended.abort(), { signal });
    };
    // Not passive: the wheel shall not scroll the page as well.
    element.addEventListener('wheel', onWheel, { passive: false });
    element.addEventListener('pointerdown', onDown);
    return () => {
      element.removeEventListener('wheel', onWheel);
      element.removeEventListener('pointerdown', onDown);
    };
  });
}
