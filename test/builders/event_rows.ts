/** Reports of connection tracking as rows, the way the addon gives them. */
import { parseAddress } from '../../policy/index.ts';
import type { FlowEvent } from '../../sidecar/kernel/conntrack_events.ts';
import { EventRows, GONE, IS_IPV6, NO_STATE, ROW, ROW_WORDS } from '../../sidecar/kernel/event_rows.ts';

const NUMBERS = { TCP: 6, UDP: 17, SCTP: 132 } as const;
const ASSURED = 4;

/** An event, and the id of its entry. Without one it is that of the ports, so that each connection has its own. */
export type RowEvent = FlowEvent & { readonly id?: number };

/** Rows of these events. */
export function eventRows(events: readonly RowEvent[]): EventRows {
  const words = new Uint32Array(events.length * ROW_WORDS);
  for (const [index, { flow, gone, id }] of events.entries()) {
    const row = words.subarray(index * ROW_WORDS, (index + 1) * ROW_WORDS);
    const isIPv6 = flow.source.address.includes(':');
    row[ROW.flags] = (gone ? GONE : 0) | (isIPv6 ? IS_IPV6 : 0);
    row[ROW.protocol] = NUMBERS[flow.protocol];
    row[ROW.status] = flow.isAssured ? ASSURED : 0;
    row[ROW.tcpState] = flow.tcpState ?? NO_STATE;
    row[ROW.id] = id ?? flow.source.port * 65_536 + flow.destination.port;
    for (const side of ['source', 'destination', 'answering', 'answered'] as const) {
      row.set(parseAddress(flow[side].address) ?? [], ROW[side]);
      row[ROW[`${side}Port`]] = flow[side].port;
    }
    for (const [field, bytes] of [
      [ROW.sent, flow.bytesSent],
      [ROW.received, flow.bytesReceived],
    ] as const)
      row.set([Math.floor(bytes / 2 ** 32), bytes % 2 ** 32], field);
  }
  return new EventRows(words, events.length);
}
