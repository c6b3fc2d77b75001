/** Tables, their changes and all else that sidecars are sent, as lines of JSON, in each schema. */

export { type FrameBytes, Heartbeats, lengthOf, type SmallFrame, smallFrame } from './frame_bytes.ts';
export type { TableWriter } from './table_writer.ts';
export { TableWriterV1 } from './table_writer_v1.ts';
export { TableWriterV2 } from './table_writer_v2.ts';
