/** NP018. */
import { blockMatches, parseAddress } from '../../policy/index.ts';
import { nameOf, rulesIn } from '../model/index.ts';
import type { Rule } from '../rule.ts';

/** Where clouds tell a machine about itself, with credentials: AWS, Azure, Google, OpenStack and others. Its port is 80. */
const METADATA = '169.254.169.254';
const METADATA_PORT = 80;

/** Blocks that are wider than this are meant for "outside": the link-local block itself is meant for what is in it. */
const WIDEST_MEANT = 16;

/** The cloud's metadata is among what egress admits. */
export const np018: Rule = {
  code: 'NP018',
  severity: 'warning',
  title: 'egress to all addresses, the metadata service of the cloud among them',
  explanation: `An egress rule to 0.0.0.0/0 includes ${METADATA}, where clouds give a machine's credentials to every process that asks from it. A pod that is
broken into takes the rights of its node from there.

Rules whose ports leave out TCP/${METADATA_PORT} are left out.`,
  remedy: `Take ${METADATA}/32 out with except.`,
  *check(model) {
    const words = parseAddress(METADATA);
    for (const linted of model.policies)
      for (const { direction, rule, path, peersField } of rulesIn(linted)) {
        const mayAsk =
          rule.ports.length === 0 ||
          rule.ports.some(
            ({ protocol, port, endPort }) =>
              protocol === 'TCP' &&
              (port === undefined ||
                (typeof port === 'number' && port <= METADATA_PORT && METADATA_PORT <= (endPort ?? port))),
          );
        if (direction !== 'egress' || !mayAsk) continue;
        for (const [at, peer] of rule.peers.entries()) {
          if (peer.kind !== 'ipBlock' || !blockMatches(peer.ipBlock, words)) continue;
          const { cidr, except } = peer.ipBlock;
          if (Number(cidr.slice(cidr.indexOf('/') + 1)) >= WIDEST_MEANT) continue;
          const block = [...path, peersField, at, 'ipBlock'];
          yield {
            object: linted.object,
            path: [...block, 'cidr'],
            message: `${nameOf(linted)}: egress to ${cidr} includes ${METADATA}, the metadata service of the cloud`,
            fix: {
              text: `except: [${METADATA}/32]`,
              edits:
                except.length === 0
                  ? [{ kind: 'addAfter', path: [...block, 'cidr'], key: 'except', value: `[${METADATA}/32]` }]
                  : [{ kind: 'append', path: [...block, 'except'], value: `${METADATA}/32` }],
            },
          };
        }
      }
  },
};
