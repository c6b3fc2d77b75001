import { describe, expect, test } from 'vitest';
import { parsePath } from '../../../../common/path.ts';
import {
  ALL_PROXY,
  hasDirect,
  hasFallenBack,
  isDirect,
  type PathSettings,
  pathsText,
  possiblePaths,
  readPaths,
  resolvePaths,
} from '../../../../sidecar/redirect/paths.ts';
import { chains } from '../../../../sidecar/redirect/rules.ts';

const ABLE = { gate: true, direct: true };
const UNABLE = { gate: true, direct: false };
const WITHOUT_GATE = { gate: false, direct: false };

function settings(text: string, excludedPorts: readonly number[] = []): PathSettings {
  const path = parsePath(text);
  if (typeof path === 'string') throw new Error(path);
  return { path, excludedPorts };
}

test.each([
  ['proxy', [], ABLE, 'proxy'],
  ['direct', [], ABLE, 'direct'],
  ['auto', [], ABLE, 'direct'],
  ['auto', [], UNABLE, 'proxy'],
  ['auto', [], WITHOUT_GATE, 'proxy'],
  ['direct', [9090], WITHOUT_GATE, 'proxy'],
  ['proxy', [9091, 9090], ABLE, 'proxy, but ports 9090, 9091'],
  ['proxy', [9090], UNABLE, 'proxy, but ports 9090'],
  ['auto', [9090], UNABLE, 'proxy, but ports 9090'],
  ['auto', [9090], ABLE, 'direct'],
  ['auto,5432=proxy', [], ABLE, 'direct, but ports 5432'],
  ['auto,5432=proxy', [], UNABLE, 'proxy'],
  ['8080=auto', [], ABLE, 'proxy, but ports 8080'],
  ['8080=auto', [], UNABLE, 'proxy'],
])('%s, excluded %j, on %j: %s', (text, excluded, able, wanted) => {
  expect(pathsText(resolvePaths(settings(text, excluded), able))).toBe(wanted);
});

test('a port has the usual path or the other one', () => {
  const paths = resolvePaths(settings('direct,5432=proxy'), ABLE);
  expect(isDirect(paths, 80)).toBe(true);
  expect(isDirect(paths, 5432)).toBe(false);
  expect(hasDirect(paths)).toBe(true);
  expect(hasDirect(ALL_PROXY)).toBe(false);
});

test('auto has fallen back where it could have come to the direct path', () => {
  expect(hasFallenBack(settings('auto'), ALL_PROXY)).toBe(true);
  expect(hasFallenBack(settings('auto'), { usual: 'direct', others: [] })).toBe(false);
  expect(hasFallenBack(settings('auto,80=proxy', [90]), { usual: 'proxy', others: [90] })).toBe(true);
  expect(hasFallenBack(settings('proxy'), ALL_PROXY)).toBe(false);
});

describe('what the rules say is what was decided', () => {
  const texts = [
    'proxy',
    'direct',
    'auto',
    'auto,5432=proxy',
    '80=direct,90=auto',
    'direct,80=auto,90=proxy',
  ];
  const all = texts.flatMap((text) => [settings(text), settings(text, [7000, 6000])]);

  test.each(['all', 'listeners', 'plain'] as const)('with the rules of scope %s', (scope) => {
    for (const paths of all.flatMap(possiblePaths)) {
      const ports = { inboundPort: 15006, adminPort: 15021, canaryPort: 15020 };
      const plan = { ...ports, paths, nodeIPs: ['10.0.0.1'], nodePorts: [80] };
      // As `iptables -S` prints them.
      const listed = chains(4, plan, scope)
        .filter(({ table }) => table === 'mangle')
        .flatMap(({ name, rules }) => rules.map((rule) => `-A ${name} ${rule}\n`))
        .join('');
      expect(readPaths(listed)).toEqual(paths);
    }
  });

  test('a chain that nothing leads to says nothing', () => {
    expect(readPaths('-A SLUICE_PATH -j RETURN\n')).toEqual(ALL_PROXY);
  });
});
