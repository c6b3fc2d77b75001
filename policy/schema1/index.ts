/** Schema 1: the form of tables that earlier sidecars and injectors speak, and what it is in today's. */

export { applyDelta } from './apply_delta.ts';
export { type DirectoryV1, deltaToV1, tableFromV1, tableToV1 } from './convert.ts';
export { readTableFile as readTableFileV1 } from './form.ts';
export { type InjectorFrameV1, readInjectorFrameV1 } from './frames.ts';
export { SCHEMA_1, type TableDeltaV1, type TableV1 } from './table.ts';
export { touchedPeers as touchedPeersV1 } from './touched_peers.ts';
