/**
 * The conformance cases as real packets, IPv4 and IPv6: every TCP, UDP and SCTP probe, the 9-pod set included, once to pod
 * addresses and once through a Service for each pod. TCP only connects: a denied probe must not get a handshake, so `connected` has to be the verdict. UDP is a request and its
 * reply. SCTP is a raw INIT chunk and its INIT ACK, as the kernel need not have SCTP sockets; see `tools/packets.c`.
 *
 * Cases whose pods do not contradict each other share a lab; the states follow each other by the changes a user would
 * make.
 */

import type { ChildProcess } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { unreachable } from '../../common/errors.ts';
import type { Manifest } from '../builders/manifests.ts';
import { readCases } from '../conformance/case.ts';
import { TestLab } from './harness.ts';
import { caseManifests, groupCases, groupObjects, type PacketProbe, packetProbes } from './tools/case_lab.ts';
import { type PacketTool, usePackets } from './tools/packets.ts';

/** Probes that run at once: each holds its turn mostly while it waits for silence. */
const PARALLEL = 48;

/** Silence for this long is a denial: in a lab an answer takes a few milliseconds. */
const DENIED_TIMEOUT_MS = 300;

/** An answer that has to come is waited for longer, as the machine may be busy. */
const ALLOWED_TIMEOUT_MS = 5_000;

const packets = usePackets();

/** Sends one probe. @returns whether it got through; for TCP also whether only the handshake did */
async function passes(net: TestLab, tool: PacketTool, probe: PacketProbe): Promise<boolean | 'handshake'> {
  const { from, source, address, port, expected } = probe;
  const timeoutMs = expected ? ALLOWED_TIMEOUT_MS : DENIED_TIMEOUT_MS;
  const options = { localAddress: source, timeoutMs };
  switch (probe.protocol) {
    case 'TCP': {
      // A denied SYN is reset, so that no time runs out.
      const patience = { ...options, timeoutMs: ALLOWED_TIMEOUT_MS };
      const { connected, allowed } = await net.connect(from, address, port, patience);
      return connected && !allowed ? 'handshake' : connected;
    }
    case 'UDP':
      return (await net.datagram(from, address, port, options)).allowed;
    case 'SCTP':
      return await tool.probeSctp(net.lab, from, { source, address, port, timeoutMs });
    default:
      return unreachable(probe.protocol);
  }
}

async function askAll<T, R>(items: readonly T[], ask: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const queue = items.entries();
  const worker = async () => {
    for (const [index, item] of queue) results[index] = await ask(item);
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  return results;
}

describe.each(groupCases(readCases()))('cases on the pods of $name', (group) => {
  let net: TestLab | undefined;
  let outside: ChildProcess | undefined;
  let previous: readonly Manifest[] = [];
  beforeAll(async () => {
    const lab = await TestLab.up({
      objects: groupObjects(group),
      external: group.external,
      sidecarEnv: { SLUICE_DENY: 'reset' },
    });
    net = lab;
    const servedOutside = group.ports.filter((text) => !text.startsWith('SCTP/'));
    outside = await lab.serve('outside', servedOutside);
    const ports = group.ports.flatMap((text) => (text.startsWith('SCTP/') ? [Number(text.slice(5))] : []));
    if (ports.length === 0) return;
    await Promise.all([...group.pods.keys()].map((key) => packets.tool.serveSctp(lab.lab, key, ports)));
  });
  afterAll(async () => {
    outside?.kill();
    await net?.close();
  });

  test.each(group.cases)('$name', async (one) => {
    if (net === undefined) throw new Error('the lab is not up');
    const lab = net;
    const { base, policies } = caseManifests(one, group);
    lab.lab.removeObjects(...previous);
    lab.lab.writeObjects(...base, ...policies);
    previous = policies;
    await lab.lab.waitEnforced();
    const probes = packetProbes(one);
    const seen = await askAll(probes, (probe) => passes(lab, packets.tool, probe));
    const wrong = probes.flatMap((probe, index) =>
      probe.expected === seen[index] ? [] : [{ ...probe, seen: seen[index] }],
    );
    expect(wrong).toEqual([]);
    expect(probes.length).toBeGreaterThan(0);
  });
});
