/** The ports that the kubelet dials for probes and hooks. Source: core v1 `Probe`, `LifecycleHandler`. */
import { isPort } from '../../../common/net.ts';
import type { ApiObject } from './api_object.ts';

/** The handlers that the kubelet dials, by where they stand in a container. `exec` needs no network. */
const PROBES = ['livenessProbe', 'readinessProbe', 'startupProbe'];
const HOOKS = ['postStart', 'preStop'];
const HANDLERS = ['httpGet', 'tcpSocket', 'grpc'];

/**
 * TCP ports of the pod that the kubelet dials for one container. `raw` may be anything that a review holds. A named port is
 * one of the container's own; a name that the container does not have is left out, as the kubelet cannot dial it either. A
 * handler with a `host` dials something else than the pod.
 */
export function probePorts(raw: unknown): readonly number[] {
  const container = record(raw);
  const named = new Map<unknown, unknown>();
  for (const port of Array.isArray(container.ports) ? container.ports.map(record) : [])
    if (['TCP', undefined, ''].includes(port.protocol as string)) named.set(port.name, port.containerPort);
  const lifecycle = record(container.lifecycle);
  const holders = [...PROBES.map((name) => container[name]), ...HOOKS.map((name) => lifecycle[name])];
  return holders
    .flatMap((holder) => HANDLERS.map((handler) => record(record(holder)[handler])))
    .filter(({ host = '' }) => host === '')
    .map(({ port }) => Number(typeof port === 'string' ? (named.get(port) ?? port) : port))
    .filter(isPort);
}

function record(value: unknown): ApiObject {
  return typeof value === 'object' && value !== null ? (value as ApiObject) : {};
}
