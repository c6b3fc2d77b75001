/** The page as it is served: small, of one origin, and nothing in it that its own policy would refuse. */
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { buildPage } from '../../../../cli/dashboard/index.ts';
import { createEventReader } from '../../../../cli/dashboard/page/event_reader.ts';

/** All of it, compressed as a server would: what docs/adr/0050 promises. */
const MAX_BYTES = 60_000;

test('is below 60 kB, and loads from nowhere else', async () => {
  const { files } = await buildPage();
  expect([...files.keys()].sort()).toEqual(['/', '/icon.svg', '/page.js', '/style.css', '/worker.js']);
  const bytes = [...files.values()].reduce((sum, { body }) => sum + gzipSync(body).length, 0);
  expect(bytes).toBeLessThan(MAX_BYTES);
  const html = files.get('/')?.body.toString() ?? '';
  expect(html).not.toMatch(/<script>|<style|style=|\son\w+=|https?:/);
  for (const name of ['/page.js', '/style.css'])
    expect(
      files
        .get(name)
        ?.body.toString()
        .replaceAll(/http:\/\/www\.w3\.org\/[\w/]+/g, ''),
      name,
    ).not.toMatch(/https?:\/\//);
});

test('events are read however the network cuts them', () => {
  const stream = ': sluice\n\nevent: flow\ndata: {"a":1}\n\n: \n\nevent: end\ndata: {}\n\n';
  for (const size of [1, 3, 7, stream.length]) {
    const events: string[] = [];
    const read = createEventReader(({ event, data }) => events.push(`${event} ${data}`));
    for (let at = 0; at < stream.length; at += size) read(stream.slice(at, at + size));
    expect(events).toEqual(['flow {"a":1}', 'end {}']);
  }
});
