/** Settings of the gate that do not come from the table. */
export interface GateSettings {
  /** What a denied SYN gets: silence, or a reset before any handshake. */
  readonly deny: 'drop' | 'reset';
  /** What an isolated pod gets of protocols that NetworkPolicy does not speak of (ICMP echo and all others). */
  readonly otherProtocols: 'accept' | 'drop';
  /** Health and metrics of the sidecar: open to everybody, at a bounded rate; nobody gets to another socket on this port. */
  readonly adminPort: number;
  /** TCP ports that the own node always reaches; absent: everything. */
  readonly nodePorts?: readonly number[] | undefined;
  /** Where the injector's tables are: the sidecar always reaches it, else no policy could ever be taken back. */
  readonly injector?: { readonly address: string; readonly port: number } | undefined;
}
