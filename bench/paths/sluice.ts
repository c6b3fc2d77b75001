/** Sluice as it ships: its redirect, its gate, its sidecar, with a table from a real injector. */

import { PATH_ANNOTATION } from '../../injector/admission/index.ts';
import { applyRedirect, labPaths, readState, removeSidecarState } from '../../lab/index.ts';
import { SIDECAR_OPTIONS } from '../../sidecar/config.ts';
import { type Path, podOf } from '../rig/path.ts';

/** The option that picks a relay. */
const RELAY = 'SLUICE_RELAY';

/** The relays that this sidecar has, the default first. */
export function relays(): readonly string[] {
  const option = SIDECAR_OPTIONS.find((spec) => spec.env === RELAY);
  if (option?.kind.type !== 'choice') return ['node'];
  const { choices } = option.kind;
  return choices.toSorted((a, b) => Number(b === option.default) - Number(a === option.default));
}

/** The path by this relay, with one policy. */
export function sluice(relay: string): Path {
  return path(relay, { name: `sluice-${relay}`, label: `Sluice, ${relay} relay`, policies: 1 });
}

/** The path by the default relay, with so many policies that select its pod; the last one admits the client. */
export function sluiceWithPolicies(policies: number): Path {
  const label = `Sluice, ${policies.toLocaleString('en-US')} policies`;
  return path(relays()[0] ?? 'node', { name: `policies-${policies}`, label, policies });
}

/** What one direct path has of its own. */
export type DirectVariant = Pick<Path, 'name' | 'label' | 'peers'> & {
  /** Of the pod, beside the one that chooses the direct path. */
  readonly annotations?: Readonly<Record<string, string>>;
};

/** The direct paths that can be chosen. A further kind of it is one more line here. */
export const DIRECT_VARIANTS: readonly DirectVariant[] = [
  { name: 'sluice-direct', label: 'Sluice, direct path' },
];

/** Connections go to the app's own socket: the sidecar records and ends them. The kernel has to be one that can do that. */
export function sluiceDirect({ annotations = {}, ...variant }: DirectVariant): Path {
  return path(relays()[0] ?? 'node', {
    ...variant,
    policies: 1,
    isDirect: true,
    annotations: { [PATH_ANNOTATION]: 'direct', ...annotations },
  });
}

function path(
  relay: string,
  own: Pick<Path, 'name' | 'label' | 'policies' | 'peers' | 'annotations' | 'isDirect'>,
): Path {
  const { name } = own;
  return {
    ...own,
    variant: relay !== relays()[0],
    prepare: async (rig) => {
      const lab = rig.lab.name;
      await applyRedirect(labPaths(lab), readState(lab), rig.lab.pod(podOf({ name })));
    },
    start: async (rig) => {
      // A first start: no table of an earlier one.
      removeSidecarState(labPaths(rig.lab.name), podOf({ name }));
      return await rig.lab.startSidecar(podOf({ name }), {
        redirect: false,
        env: { [RELAY]: relay },
        ...(rig.sidecarMain === undefined ? {} : { main: rig.sidecarMain }),
      });
    },
  };
}
