/** The map: workloads by namespace, and the links between them. */

export { MapView } from './map_view.tsx';
