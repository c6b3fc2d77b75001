import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { expect, test } from 'vitest';
import { loadAddon } from '../../../native/addon.ts';
import { openSockets } from '../../../native/sockets.ts';

const sockets = openSockets();

test.each([
  [4, '127.0.0.1'],
  [6, '::1'],
] as const)('an IPv%d transparent listener accepts through node:net', async (family, address) => {
  const server = net.createServer((socket) => socket.end('hello'));
  server.listen({ fd: sockets.listenTransparent(family, address, 0, 16) });
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const [chunk] = (await once(net.connect(port, address), 'data')) as [Buffer];
  expect(chunk.toString()).toBe('hello');
  server.close();
});

test.each([
  [4, '203.0.113.9'],
  [6, '2001:db8::9'],
] as const)('an IPv%d socket can be bound to an address that is not ours', (family, address) => {
  const fd = sockets.bindTransparent(family, address, 12_345, 0x539);
  expect(fd).toBeGreaterThan(2);
  expect(loadAddon().close(fd)).toBe(0);
});

test('a taken port is SOCKET_ADDRESS_IN_USE and leaks no descriptor', () => {
  const fd = sockets.listenTransparent(4, '127.0.0.1', 0, 1);
  const server = net.createServer().listen({ fd });
  const { port } = server.address() as net.AddressInfo;
  expect(() => sockets.listenTransparent(4, '127.0.0.1', port, 1)).toThrow(
    expect.objectContaining({ code: 'SOCKET_ADDRESS_IN_USE' }),
  );
  server.close();
});

test('without capabilities the error says which one is missing', () => {
  const script = `
    import { openSockets } from ${JSON.stringify(new URL('../../../native/sockets.ts', import.meta.url).href)};
    try { openSockets().bindTransparent(4, '203.0.113.9', 12345, 1); } catch (error) { console.log(error.code, error.message); }`;
  const output = execFileSync(
    'setpriv',
    ['--bounding-set=-all', '--inh-caps=-all', process.execPath, '--input-type=module', '-e', script],
    {
      encoding: 'utf8',
    },
  );
  expect(output).toMatch(/^SOCKET_CAPABILITY_MISSING .*IP_TRANSPARENT.*EPERM.*NET_ADMIN or NET_RAW/);
});

test('an address that is no address is refused before it reaches the kernel', () => {
  expect(() => sockets.bindTransparent(4, 'fd00::1', 1, 1)).toThrow(
    expect.objectContaining({ code: 'SOCKET_FAILED' }),
  );
});

test('an addon that does not load says how to build it', () => {
  expect(() => loadAddon(['./build/absent.node'])).toThrow(/NATIVE_ADDON_MISSING|npm run build/);
});
