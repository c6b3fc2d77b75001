import { BlockList, isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAddress, socketAddress } from '../../../../policy/addresses/address.ts';
import { cidrContains, formatCidr, isStrictSubset, parseCidr } from '../../../../policy/addresses/cidr.ts';
import { canonicalAddress } from '../../../../policy/index.ts';

describe('canonical addresses', () => {
  it.each([
    ['10.1.2.3', '10.1.2.3'],
    ['0.0.0.0', '0.0.0.0'],
    ['255.255.255.255', '255.255.255.255'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['::FFFF:0A01:0203', '10.1.2.3'],
    ['0:0:0:0:0:ffff:10.1.2.3', '10.1.2.3'],
    ['FD00::0001', 'fd00::1'],
    ['fd00:0:0:0:0:0:0:1', 'fd00::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['::2', '::2'],
    ['::1.2.3.4', '::1.2.3.4'],
    ['64:ff9b::10.1.2.3', '64:ff9b::a01:203'],
    ['fe80::1', 'fe80::1'],
  ])('prints %s as %s', (text, canonical) => {
    expect(canonicalAddress(text)).toBe(canonical);
    expect(canonicalAddress(canonical)).toBe(canonical);
  });

  it.each([
    '',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '01.2.3.4',
    '1.2.3.4 ',
    ' 1.2.3.4',
    '0x7f.1.1.1',
    '-1.2.3.4',
    '1.2.3.4/32',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7::8',
    '12345::',
    'g::',
    '::1%lo',
    'fe80::1%eth0',
    '1.2.3.4::',
    '::1.2.3',
    '::1.2.3.4:5',
    '[::1]',
    'localhost',
  ])('refuses %j', (text) => {
    expect(() => canonicalAddress(text)).toThrowError(expect.objectContaining({ code: 'ADDRESS_INVALID' }));
  });

  it('says that a zone has to go', () => {
    expect(() => canonicalAddress('fe80::1%eth0')).toThrow(/leave the zone/);
  });

  it('takes what Node takes for an address, for any text', () => {
    const character = fc.constantFrom(...'0123456789abcdefF:.:.:');
    const addresses = fc.oneof(fc.ipV4(), fc.ipV6(), fc.string({ unit: character, maxLength: 20 }));
    fc.assert(
      fc.property(addresses, (text) => {
        expect(parseAddress(text) !== undefined).toBe(isIP(text) !== 0);
      }),
      { numRuns: 5000 },
    );
  });

  it('gives socket addresses in the form that tables have', () => {
    expect(socketAddress('::ffff:10.1.2.3')).toBe('10.1.2.3');
    expect(socketAddress('fe80::1%eth0')).toBe('fe80::1');
    expect(socketAddress('fd00::1')).toBe('fd00::1');
    expect(socketAddress('no.address:')).toBe('no.address:');
  });
});

describe('address blocks', () => {
  it.each([
    ['10.1.2.3/8', '10.0.0.0/8', true],
    ['10.0.0.0/8', '10.0.0.0/8', false],
    ['1.2.3.4/0', '0.0.0.0/0', true],
    ['1.2.3.4/32', '1.2.3.4/32', false],
    ['FD00::1/64', 'fd00::/64', true],
    ['::/0', '::/0', false],
    ['fd00::1/128', 'fd00::1/128', false],
    ['::ffff:10.0.0.0/104', '10.0.0.0/8', false],
  ])('reads %s as %s', (text, canonical, hostBits) => {
    const written = parseCidr(text);
    expect(written && formatCidr(written.cidr)).toBe(canonical);
    expect(written?.hostBits).toBe(hostBits);
  });

  it.each([
    '10.0.0.0',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/08',
    '10.0.0.0/',
    '/8',
    'fd00::/129',
    '10.0.0/8',
    '10.0.0.0/8/8',
  ])('refuses %j', (text) => expect(parseCidr(text)).toBeUndefined());

  it('contains what Node says it contains, and nothing of the other family', () => {
    const ipv4 = fc.tuple(fc.ipV4(), fc.ipV4(), fc.nat(32), fc.constant('ipv4' as const));
    const ipv6 = fc.tuple(fc.ipV6(), fc.ipV6(), fc.nat(128), fc.constant('ipv6' as const));
    fc.assert(
      fc.property(fc.oneof(ipv4, ipv6), ([network, address, prefix, family]) => {
        // Half of the addresses are near the block, by taking the block's own.
        const cidr = parseCidr(`${network}/${prefix}`)?.cidr;
        const words = parseAddress(address);
        fc.pre(
          cidr !== undefined && words !== undefined && cidr.words.length === (family === 'ipv4' ? 1 : 4),
        );
        const list = new BlockList();
        list.addSubnet(network, prefix, family);
        expect(cidrContains(cidr, words)).toBe(list.check(address, family));
        expect(cidrContains(cidr, parseAddress(network) ?? [])).toBe(true);
        expect(cidrContains(cidr, words.length === 1 ? [0, 0, 0, 0] : [0])).toBe(false);
      }),
      { numRuns: 2000 },
    );
  });

  it('knows strict subsets', () => {
    const strict = (inner: string, outer: string) => {
      const [a, b] = [parseCidr(inner)?.cidr, parseCidr(outer)?.cidr];
      return a !== undefined && b !== undefined && isStrictSubset(a, b);
    };
    expect(strict('10.1.0.0/16', '10.0.0.0/8')).toBe(true);
    expect(strict('10.0.0.0/8', '10.0.0.0/8')).toBe(false);
    expect(strict('11.0.0.0/16', '10.0.0.0/8')).toBe(false);
    expect(strict('0.0.0.0/0', '10.0.0.0/8')).toBe(false);
    expect(strict('fd00::/64', '0.0.0.0/0')).toBe(false);
  });
});
