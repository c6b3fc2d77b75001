/** Which ports pods listen on, as far as manifests say. */
import { fieldsOf, isRecord } from '../../common/shape.ts';
import {
  type ContainerPort,
  type LabelSelector,
  matchesSelector,
  type Protocol,
} from '../../policy/index.ts';
import { podTemplate } from '../../sources/index.ts';
import type { Model } from './model.ts';
import type { LintedService } from './services.ts';
import type { Subject } from './subject.ts';

/** A port by which a Service leads to a pod. */
export interface ServedPort {
  readonly service: LintedService;
  readonly protocol: Protocol;
  /** The Service's own. */
  readonly port: number;
  /** The pod's. */
  readonly target: number;
  /** Its name, where the pod gives it one. */
  readonly name?: string;
}

/** The Services that have a subject behind them. */
export function servicesOfSubject(model: Model, subject: Subject): readonly LintedService[] {
  return model.servicesIn(subject.pod.namespace).filter(({ service: { selector } }) => {
    if (selector === undefined) return false;
    const asSelector: LabelSelector = { matchLabels: selector, matchExpressions: [] };
    return matchesSelector(asSelector, subject.pod.labels);
  });
}

/** The ports that Services lead to at a subject. */
export function servedPorts(model: Model, subject: Subject): readonly ServedPort[] {
  const { ports: declared } = subject.pod;
  return servicesOfSubject(model, subject).flatMap((service) =>
    service.service.ports.flatMap(({ protocol, port, targetPort }): readonly ServedPort[] => {
      const found = declared.find(
        (one) =>
          one.protocol === protocol && (typeof targetPort === 'string' ? one.name : one.port) === targetPort,
      );
      const target = found?.port ?? (typeof targetPort === 'number' ? targetPort : undefined);
      if (target === undefined) return [];
      return [
        { service, protocol, port, target, ...(found?.name === undefined ? {} : { name: found.name }) },
      ];
    }),
  );
}

/** Numbers that a subject listens on besides what it declares: targets of Services, probes, a scraper's annotation. */
export function otherPorts(model: Model, subject: Subject): ReadonlySet<number> {
  const pod = podTemplate(subject.raw) ?? subject.raw;
  const annotated = Number(fieldsOf(fieldsOf(pod.metadata).annotations)['prometheus.io/port']);
  const { containers } = fieldsOf(pod.spec);
  const probed = (Array.isArray(containers) ? containers.filter(isRecord) : []).flatMap((container) =>
    [container.livenessProbe, container.readinessProbe, container.startupProbe].flatMap((probe) =>
      ['httpGet', 'tcpSocket', 'grpc'].map((kind) => fieldsOf(fieldsOf(probe)[kind]).port),
    ),
  );
  const served = servedPorts(model, subject).map(({ target }) => target);
  return new Set([...served, annotated, ...probed].filter((port): port is number => Number.isInteger(port)));
}

/** `TCP/80`, or with a name `TCP/http (8080)`. */
export function portText({ name, port, protocol }: ContainerPort): string {
  return name === undefined ? `${protocol}/${port}` : `${protocol}/${name} (${port})`;
}
