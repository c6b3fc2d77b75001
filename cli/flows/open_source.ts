/** Opens the source of flows that the flags name. */
import { USUAL_NAMESPACE } from '../../common/contract.ts';
import { liveCluster, type ReadContext } from '../input/index.ts';
import { complain } from '../output.ts';
import { createDirectSource, openSidecars } from './direct/index.ts';
import type { FlowChoice } from './flow_flags.ts';
import type { FlowSource } from './flow_source.ts';
import { createLinesSource } from './lines_source.ts';

/** A source, and what its names are in. */
export interface OpenedFlows {
  readonly source: FlowSource;
  /** For messages: `lab x`. */
  readonly where: string;
  /** The namespace of names without one; undefined: none is meant. */
  readonly namespace?: string;
  /** The namespaces that are asked about; undefined: all. */
  readonly namespaces?: readonly string[];
}

/**
 * @throws SluiceError `LAB_NOT_FOUND`, `KUBECONFIG_UNUSABLE`, `CLUSTER_UNREADABLE`, `RIGHT_MISSING`, `FLOWS_UNREADABLE`
 */
export async function openFlows(choice: FlowChoice, context: ReadContext): Promise<OpenedFlows> {
  const asked = choice.namespace === undefined ? {} : within(choice.namespace);
  if (choice.kind === 'lines') {
    const { standardInput } = context;
    const place = { path: choice.path, ...(standardInput === undefined ? {} : { standardInput }) };
    const where = choice.path === '-' ? 'standard input' : choice.path;
    return { source: createLinesSource(place), where, ...asked };
  }
  const note = (text: string): void => complain(`sluice: note: ${text}`);
  if (choice.direct) {
    const sidecars = await openSidecars(choice, context);
    const source = createDirectSource(sidecars, context, note);
    const { where, namespace } = sidecars;
    return { source, where, ...(namespace === undefined ? {} : within(namespace)) };
  }
  if (choice.kind === 'lab') {
    const { labInjector } = await import('./lab_injector.ts');
    return { source: labInjector(choice.lab, context.signal), where: `lab ${choice.lab}`, ...asked };
  }
  const { config, context: name, namespace } = (await liveCluster()).chooseCluster(choice);
  const { createClusterSource } = await import('./cluster/index.ts');
  const flows = { config, context: name, namespace: choice.injectorNamespace ?? USUAL_NAMESPACE };
  return {
    source: createClusterSource(flows, context.signal),
    where: `context ${name}`,
    ...(choice.allNamespaces ? {} : within(choice.namespace ?? namespace)),
  };
}

function within(namespace: string): Pick<OpenedFlows, 'namespace' | 'namespaces'> {
  return { namespace, namespaces: [namespace] };
}
