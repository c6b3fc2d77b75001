/** NetworkPolicies that the API server refuses are refused, with the field's path; what it takes is taken. */

import { describe, expect, it } from 'vitest';
import { parseNetworkPolicy } from '../../../../policy/index.ts';

/** A policy with this spec; `web` in namespace `shop`. */
function withSpec(spec: unknown): unknown {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'web', namespace: 'shop' },
    spec,
  };
}

function errorsOf(value: unknown): string[] {
  const parsed = parseNetworkPolicy(value);
  return parsed.ok ? [] : parsed.errors.map(({ path, message }) => `${path}: ${message}`);
}

function ingressPeer(peer: unknown): unknown {
  return withSpec({ podSelector: {}, ingress: [{}, { from: [{ podSelector: {} }, peer] }] });
}

function egressPort(port: unknown): unknown {
  return withSpec({ podSelector: {}, egress: [{ ports: [port] }] });
}

function selector(podSelector: unknown): unknown {
  return withSpec({ podSelector });
}

function requirement(value: unknown): unknown {
  return selector({ matchExpressions: [value] });
}

const PEER = 'spec.ingress[1].from[1]';
const PORT = 'spec.egress[0].ports[0]';
const REQUIREMENT = 'spec.podSelector.matchExpressions[0]';

describe('a policy is refused for', () => {
  it.each<[string, unknown, string]>([
    ['an empty peer', ingressPeer({}), `${PEER}: Required value: must specify a peer`],
    [
      'a peer of nulls',
      ingressPeer({ podSelector: null, ipBlock: null }),
      `${PEER}: Required value: must specify a peer`,
    ],
    [
      'an ipBlock beside a selector',
      ingressPeer({ ipBlock: { cidr: '10.0.0.0/8' }, podSelector: {} }),
      `${PEER}: Forbidden: may not specify both ipBlock and another peer`,
    ],
    ['a missing cidr', ingressPeer({ ipBlock: {} }), `${PEER}.ipBlock.cidr: Required value`],
    ['an empty cidr', ingressPeer({ ipBlock: { cidr: '' } }), `${PEER}.ipBlock.cidr: Required value`],
    [
      'an address for a cidr',
      ingressPeer({ ipBlock: { cidr: '10.0.0.1' } }),
      `${PEER}.ipBlock.cidr: Invalid value: "10.0.0.1": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)`,
    ],
    [
      'leading zeros',
      ingressPeer({ ipBlock: { cidr: '010.0.0.0/8' } }),
      `${PEER}.ipBlock.cidr: Invalid value: "010.0.0.0/8": must not have leading 0s in IPv4 octets (e.g. 10.9.8.0/24 or 2001:db8::/64)`,
    ],
    [
      'an exception outside its block',
      ingressPeer({ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16', '11.0.0.0/16'] } }),
      `${PEER}.ipBlock.except[1]: Invalid value: "11.0.0.0/16": must be a strict subset of \`cidr\``,
    ],
    [
      'an exception as large as its block',
      ingressPeer({ ipBlock: { cidr: '10.0.0.0/8', except: ['10.0.0.0/8'] } }),
      `${PEER}.ipBlock.except[0]: Invalid value: "10.0.0.0/8": must be a strict subset of \`cidr\``,
    ],
    [
      'port 0',
      egressPort({ port: 0 }),
      `${PORT}.port: Invalid value: 0: must be between 1 and 65535, inclusive`,
    ],
    [
      'port 65536',
      egressPort({ port: 65536 }),
      `${PORT}.port: Invalid value: 65536: must be between 1 and 65535, inclusive`,
    ],
    [
      'half a port',
      egressPort({ port: 80.5 }),
      `${PORT}.port: Invalid value: 80.5: must be a port number or the name of a container port`,
    ],
    [
      'a number as text',
      egressPort({ port: '80' }),
      `${PORT}.port: Invalid value: "80": must contain at least one letter (a-z)`,
    ],
    [
      'a long port name',
      egressPort({ port: 'a234567890123456' }),
      `${PORT}.port: Invalid value: "a234567890123456": must be no more than 15 characters`,
    ],
    [
      'a port name in capitals',
      egressPort({ port: 'Http' }),
      `${PORT}.port: Invalid value: "Http": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)`,
    ],
    [
      'a port name with --',
      egressPort({ port: 'a--b' }),
      `${PORT}.port: Invalid value: "a--b": must not contain consecutive hyphens`,
    ],
    [
      'a port name with - at its end',
      egressPort({ port: 'a-' }),
      `${PORT}.port: Invalid value: "a-": must not begin or end with a hyphen`,
    ],
    [
      'endPort alone',
      egressPort({ endPort: 90 }),
      `${PORT}.endPort: Invalid value: 90: may not be specified when \`port\` is not specified`,
    ],
    [
      'endPort of a name',
      egressPort({ port: 'http', endPort: 90 }),
      `${PORT}.endPort: Invalid value: 90: may not be specified when \`port\` is non-numeric`,
    ],
    [
      'endPort below port',
      egressPort({ port: 80, endPort: 79 }),
      `${PORT}.endPort: Invalid value: 79: must be greater than or equal to \`port\``,
    ],
    [
      'endPort too high',
      egressPort({ port: 80, endPort: 65536 }),
      `${PORT}.endPort: Invalid value: 65536: must be between 1 and 65535, inclusive`,
    ],
    [
      'another protocol',
      egressPort({ protocol: 'ICMP' }),
      `${PORT}.protocol: Unsupported value: "ICMP": supported values: "TCP", "UDP", "SCTP"`,
    ],
    [
      'a protocol in small letters',
      egressPort({ protocol: 'tcp' }),
      `${PORT}.protocol: Unsupported value: "tcp": supported values: "TCP", "UDP", "SCTP"`,
    ],
    [
      'In without values',
      requirement({ key: 'a', operator: 'In' }),
      `${REQUIREMENT}.values: Required value: must be specified when \`operator\` is 'In' or 'NotIn'`,
    ],
    [
      'NotIn with no value',
      requirement({ key: 'a', operator: 'NotIn', values: [] }),
      `${REQUIREMENT}.values: Required value: must be specified when \`operator\` is 'In' or 'NotIn'`,
    ],
    [
      'Exists with values',
      requirement({ key: 'a', operator: 'Exists', values: ['b'] }),
      `${REQUIREMENT}.values: Forbidden: may not be specified when \`operator\` is 'Exists' or 'DoesNotExist'`,
    ],
    [
      'DoesNotExist with values',
      requirement({ key: 'a', operator: 'DoesNotExist', values: ['b'] }),
      `${REQUIREMENT}.values: Forbidden: may not be specified when \`operator\` is 'Exists' or 'DoesNotExist'`,
    ],
    [
      'an unknown operator',
      requirement({ key: 'a', operator: 'Equals', values: ['b'] }),
      `${REQUIREMENT}.operator: Invalid value: "Equals": not a valid selector operator`,
    ],
    ['a missing key', requirement({ operator: 'Exists' }), `${REQUIREMENT}.key: Required value`],
    [
      'an unknown policy type',
      withSpec({ policyTypes: ['Igress'] }),
      'spec.policyTypes[0]: Unsupported value: "Igress": supported values: "Ingress", "Egress"',
    ],
    [
      'three policy types',
      withSpec({ policyTypes: ['Ingress', 'Egress', 'Ingress'] }),
      'spec.policyTypes: Invalid value: ["Ingress","Egress","Ingress"]: may not specify more than two policyTypes',
    ],
    ['rules that are no list', withSpec({ ingress: {} }), 'spec.ingress: Invalid value: {}: must be a list'],
    [
      'a rule that is no object',
      withSpec({ ingress: ['all'] }),
      'spec.ingress[0]: Invalid value: "all": must be an object',
    ],
    [
      'a null rule',
      withSpec({ ingress: [null] }),
      'spec.ingress[0]: Invalid value: null: must be a rule; write {} for one that allows everything',
    ],
    [
      'a selector that is no object',
      selector('app=web'),
      'spec.podSelector: Invalid value: "app=web": must be an object',
    ],
    [
      'a label that is a number',
      selector({ matchLabels: { a: 1 } }),
      'spec.podSelector.matchLabels.a: Invalid value: 1: must be a string',
    ],
    ['a spec that is no object', withSpec([]), 'spec: Invalid value: []: must be an object'],
    [
      'another API version',
      { apiVersion: 'extensions/v1beta1', metadata: { name: 'x' } },
      'apiVersion: Unsupported value: "extensions/v1beta1": supported values: "networking.k8s.io/v1"',
    ],
    ['no name', { metadata: {} }, 'metadata.name: Required value: name is required'],
    ['not being an object', 'text', ': must be a Kubernetes object'],
    ['being null', null, ': must be a Kubernetes object'],
  ])('%s', (_, value, error) => {
    expect(errorsOf(value)).toEqual([error]);
  });

  it.each([
    ['a name in capitals', { metadata: { name: 'Web' } }, 'metadata.name', 'RFC 1123 subdomain'],
    ['a long name', { metadata: { name: 'a'.repeat(254) } }, 'metadata.name', 'no more than 253'],
    [
      'a namespace with a dot',
      { metadata: { name: 'a', namespace: 'b.c' } },
      'metadata.namespace',
      'RFC 1123 label',
    ],
    [
      'a label key without name',
      selector({ matchLabels: { 'a/': 'b' } }),
      'spec.podSelector.matchLabels',
      'name part must be non-empty',
    ],
    [
      'a label key without prefix',
      selector({ matchLabels: { '/a': 'b' } }),
      'spec.podSelector.matchLabels',
      'prefix part must be non-empty',
    ],
    [
      'a label key with a bad prefix',
      selector({ matchLabels: { 'A_/a': 'b' } }),
      'spec.podSelector.matchLabels',
      'prefix part a lowercase RFC 1123 subdomain',
    ],
    [
      'a label key of __proto__',
      selector(JSON.parse('{"matchLabels":{"__proto__":"b"}}')),
      'spec.podSelector.matchLabels',
      'must start and end with an alphanumeric',
    ],
    [
      'a long label key',
      selector({ matchLabels: { ['a'.repeat(64)]: 'b' } }),
      'spec.podSelector.matchLabels',
      'no more than 63',
    ],
    [
      'a label value with a space',
      selector({ matchLabels: { a: 'b c' } }),
      'spec.podSelector.matchLabels',
      'a valid label must be',
    ],
    [
      'a listed value with a slash',
      requirement({ key: 'a', operator: 'In', values: ['ok', 'b/c'] }),
      `${REQUIREMENT}.values[1]`,
      'a valid label must be',
    ],
  ])('%s', (_, value, path, message) => {
    const parsed = parseNetworkPolicy(value);
    expect(parsed.ok ? [] : parsed.errors).toMatchObject([
      { path, message: expect.stringContaining(message) },
    ]);
  });

  it('several mistakes at once, all of them', () => {
    const errors = errorsOf(
      withSpec({ podSelector: {}, ingress: [{ ports: [{ port: 0 }], from: [{}] }], policyTypes: ['X'] }),
    );
    expect(errors).toHaveLength(3);
  });
});

describe('a policy is taken', () => {
  it.each<[string, unknown]>([
    ['without a spec', { metadata: { name: 'a' } }],
    ['with nulls for lists', withSpec({ podSelector: null, ingress: null, egress: null, policyTypes: null })],
    ['with nulls in rules', withSpec({ ingress: [{ from: null, ports: null }] })],
    ['with nulls in selectors', selector({ matchLabels: null, matchExpressions: null })],
    ['with a policy type twice', withSpec({ policyTypes: ['Ingress', 'Ingress'] })],
    ['with the longest names', { metadata: { name: 'a'.repeat(253), namespace: 'b'.repeat(63) } }],
    ['with an empty label value', selector({ matchLabels: { 'example.com/a': '' } })],
    ['with all ports', egressPort({ port: 1, endPort: 65535 })],
  ])('%s', (_, value) => {
    expect(parseNetworkPolicy(value)).toMatchObject({ ok: true, warnings: [] });
  });

  it('with host bits, masked, with a warning', () => {
    const parsed = parseNetworkPolicy(
      ingressPeer({ ipBlock: { cidr: '10.1.2.3/8', except: ['10.9.9.9/16'] } }),
    );
    expect(parsed).toMatchObject({
      ok: true,
      object: {
        ingress: [{}, { peers: [{}, { ipBlock: { cidr: '10.0.0.0/8', except: ['10.9.0.0/16'] } }] }],
      },
      warnings: [
        `${PEER}.ipBlock.cidr: "10.1.2.3/8" has bits set beyond the prefix length, it means 10.0.0.0/8; newer API servers refuse it`,
        expect.stringContaining(`${PEER}.ipBlock.except[0]`),
      ],
    });
  });

  it('with unknown fields, with a warning for each', () => {
    const parsed = parseNetworkPolicy(
      withSpec({ podselector: {}, ingress: [{ form: [], ports: [{ prot: 1 }] }] }),
    );
    expect(parsed).toMatchObject({
      ok: true,
      warnings: [
        'unknown field "spec.podselector": it has no effect',
        'unknown field "spec.ingress[0].form": it has no effect',
        'unknown field "spec.ingress[0].ports[0].prot": it has no effect',
      ],
    });
  });
});

describe('a policy that is refused', () => {
  const BAD_BLOCK = { from: [{ podSelector: {} }, { ipBlock: { cidr: '010.0.0.0/8' } }] };
  const goodRules = (value: unknown): unknown => {
    const parsed = parseNetworkPolicy(value);
    return parsed.ok ? 'taken' : parsed.isolating?.ingress.map((rule, place) => rule.index ?? place);
  };

  it('keeps its good rules, each with its index, and leaves a faulty one out whole', () => {
    const ingress = [BAD_BLOCK, { ports: [{ port: 80 }] }, null, {}, { ports: [{ port: 0 }, { port: 443 }] }];
    const parsed = parseNetworkPolicy(withSpec({ podSelector: {}, ingress, egress: [{ to: [{}] }] }));
    expect(parsed).toMatchObject({
      ok: false,
      isolating: {
        policyTypes: ['ingress', 'egress'],
        ingress: [
          { index: 1, ports: [{ port: 80 }] },
          { index: 3, peers: [], ports: [] },
        ],
        egress: [],
      },
    });
    expect(goodRules(withSpec({ ingress: [{}, BAD_BLOCK, {}] }))).toEqual([0, 2]);
  });

  it('has no rules left where something else is wrong too', () => {
    const good = { podSelector: {}, ingress: [{}, BAD_BLOCK] };
    expect(goodRules({ ...(withSpec(good) as object), apiVersion: 'extensions/v1beta1' })).toEqual([]);
    expect(goodRules(withSpec({ ...good, policyTypes: ['Igress'] }))).toEqual([]);
    expect(goodRules(withSpec({ ...good, ingress: 'x' }))).toEqual([]);
  });

  it('selects by values that no label can have, as older API servers took them', () => {
    const odd = { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['not a value!'] }] };
    expect(goodRules(withSpec({ podSelector: odd, ingress: [{}] }))).toEqual([0]);
    expect(goodRules(withSpec({ podSelector: {}, ingress: [{}, { from: [{ podSelector: odd }] }] }))).toEqual(
      [0],
    );
  });

  it('still isolates what it selects, without its faulty rules', () => {
    const spec = {
      podSelector: { matchLabels: { a: 'b' } },
      ingress: [{ ports: [{ port: 0 }] }],
      egress: [{ to: [{}] }],
    };
    expect(parseNetworkPolicy(withSpec(spec))).toMatchObject({
      ok: false,
      isolating: {
        namespace: 'shop',
        name: 'web',
        podSelector: { matchLabels: { a: 'b' } },
        policyTypes: ['ingress', 'egress'],
        ingress: [],
        egress: [],
      },
    });
  });

  it('isolates both ways when its policyTypes cannot be read', () => {
    for (const policyTypes of [['Igress'], 'Ingress', [null], {}]) {
      expect(parseNetworkPolicy(withSpec({ policyTypes }))).toMatchObject({
        isolating: { policyTypes: ['ingress', 'egress'] },
      });
    }
  });

  it('isolates nothing when its subject is not known', () => {
    const unknown = [
      selector({ matchLabels: { a: 1 } }),
      requirement({ key: 'a', operator: 'X' }),
      withSpec('x'),
      { spec: {} },
    ];
    for (const value of unknown) expect(parseNetworkPolicy(value)).not.toHaveProperty('isolating');
  });
});
