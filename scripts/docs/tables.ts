/** Tables of the reference pages, made from what the programs themselves use. */
import type { Metric, Registry } from 'prom-client';
import { ERROR_CODES, unreachable } from '../../common/errors.ts';
import type { OptionSpec } from '../../common/options.ts';
import { markdownTable } from './regions.ts';

/** Codes by part, in the order of `ERROR_CODES`. */
export function errorTable(): string {
  return markdownTable(
    ['code', 'meaning'],
    Object.entries(ERROR_CODES).map(([code, meaning]) => [`\`${code}\``, meaning]),
  );
}

/** One program's options. */
export function optionTable(specs: readonly OptionSpec[]): string {
  return markdownTable(
    ['variable', 'flag', 'value', 'default', 'meaning'],
    specs.map((spec) => [
      `\`${spec.env}\``,
      `\`--${spec.flag}\``,
      describeKind(spec.kind),
      spec.default === undefined ? '' : `\`${spec.default}\``,
      spec.description,
    ]),
  );
}

function describeKind(kind: OptionSpec['kind']): string {
  switch (kind.type) {
    case 'text':
      return 'text';
    case 'list':
      return 'list, separated by commas';
    case 'integer':
      return `${kind.min}-${kind.max}`;
    case 'choice':
      return kind.choices.map((choice) => `\`${choice}\``).join(', ');
    default:
      return unreachable(kind);
  }
}

/** All metrics of a registry, with the labels they were registered with. */
export async function metricTable(registry: Registry): Promise<string> {
  const metrics = await registry.getMetricsAsJSON();
  return markdownTable(
    ['metric', 'type', 'labels', 'meaning'],
    metrics.map(({ name, type, help }) => [
      `\`${name}\``,
      String(type),
      labelNames(registry.getSingleMetric(name))
        .map((label) => `\`${label}\``)
        .join(', '),
      help,
    ]),
  );
}

/** prom-client keeps the label names on the metric without declaring them. */
function labelNames(metric: Metric | undefined): readonly string[] {
  const names: unknown = metric !== undefined && 'labelNames' in metric ? metric.labelNames : [];
  return Array.isArray(names) ? names.map(String) : [];
}
