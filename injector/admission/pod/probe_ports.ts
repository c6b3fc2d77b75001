/** The ports that the kubelet dials for probes and hooks. Source: core v1 `Probe`, `LifecycleHandler`. */
import { isPort } from '../../../common/net.ts';
import { fieldsOf } from '../../../common/shape.ts';

/** The handlers that the kubelet dials, by where they stand in a container. `exec` needs no network. */
const PROBES = ['livenessProbe', 'readinessProbe', 'startupProbe'];
const HOOKS = ['postStart', 'preStop'];
const HANDLERS = ['httpGet', 'tcpSocket', 'grpc'];

/** What `protocol` of a TCP port may say: TCP is the default. */
const TCP_WORDS: readonly unknown[] = ['TCP', undefined, ''];

/**
 * TCP ports of the pod that the kubelet dials for one container. `raw` may be anything that a review holds. A named port is
 * one of the container's own; a name that the container does not have is left out, as the kubelet cannot dial it either. A
 * handler with a `host` dials something else than the pod.
 */
export function probePorts(raw: unknown): readonly number[] {
  const container = fieldsOf(raw);
  const named = new Map<unknown, unknown>();
  for (const port of Array.isArray(container.ports) ? container.ports.map(fieldsOf) : [])
    if (TCP_WORDS.includes(port.protocol)) named.set(port.name, port.containerPort);
  const lifecycle = fieldsOf(container.lifecycle);
  const holders = [...PROBES.map((name) => container[name]), ...HOOKS.map((name) => lifecycle[name])];
  return holders
    .flatMap((holder) => HANDLERS.map((handler) => fieldsOf(fieldsOf(holder)[handler])))
    .filter(({ host = '' }) => host === '')
    .map(({ port }) => Number(typeof port === 'string' ? (named.get(port) ?? port) : port))
    .filter(isPort);
}
