/** All rules, by code. */
import type { Rule } from '../rule.ts';
import { np001 } from './np001_selects_nobody.ts';
import { np002 } from './np002_peer_is_nobody.ts';
import { np003 } from './np003_peers_are_or.ts';
import { np004 } from './np004_port_without_listener.ts';
import { np005 } from './np005_port_name_unknown.ts';
import { np006 } from './np006_every_port_to_namespace.ts';
import { np007 } from './np007_everybody.ts';
import { np008 } from './np008_dns_forgotten.ts';
import { np009 } from './np009_adds_nothing.ts';
import { np010 } from './np010_half_open.ts';
import { np011 } from './np011_nothing_admitted.ts';
import { np012 } from './np012_not_isolated.ts';
import { np013 } from './np013_invalid.ts';
import { np014 } from './np014_unknown_field.ts';
import { np015 } from './np015_policy_types.ts';
import { np016 } from './np016_block_of_pods.ts';
import { np017 } from './np017_except.ts';
import { np018 } from './np018_metadata_reachable.ts';
import { np019 } from './np019_namespace_label.ts';
import { np020 } from './np020_host_network.ts';
import { np021 } from './np021_api_server_cut.ts';
import { np022 } from './np022_other_protocols.ts';
import { np023 } from './np023_name_and_namespace.ts';
import { np024 } from './np024_audit_for_long.ts';
import { np025 } from './np025_no_sidecar.ts';

/** In the order of their codes. */
export const RULES: readonly Rule[] = [
  np001,
  np002,
  np003,
  np004,
  np005,
  np006,
  np007,
  np008,
  np009,
  np010,
  np011,
  np012,
  np013,
  np014,
  np015,
  np016,
  np017,
  np018,
  np019,
  np020,
  np021,
  np022,
  np023,
  np024,
  np025,
];

/** The rule of a code, in any case. */
export function ruleOf(code: string): Rule | undefined {
  return RULES.find((rule) => rule.code === code.toUpperCase());
}
