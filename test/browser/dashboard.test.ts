/** The dashboard in a real browser: what people see, and what keys do. */
import type { Browser, Page } from 'puppeteer-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { DashboardFacts } from '../../cli/dashboard/form.ts';
import type { ObservedFlow } from '../../flows/index.ts';
import { edge } from '../builders/observed_flows.ts';
import { dashboardFacts, FlowDouble } from '../support/dashboard_double.ts';
import { type Look, type OpenedPage, openPage, startBrowser } from './open_page.ts';
import { DENIED, SHOP_FACTS, SHOP_FLOWS } from './shop.ts';

let browser: Browser | undefined;
let opened: OpenedPage | undefined;
beforeAll(async () => {
  browser = await startBrowser();
}, 600_000);
afterAll(async () => await browser?.close());
afterEach(async () => {
  const complaints = opened?.complaints ?? [];
  await opened?.close();
  opened = undefined;
  expect(complaints).toEqual([]);
});

async function open(
  flows: FlowDouble = new FlowDouble(SHOP_FLOWS),
  facts: DashboardFacts = SHOP_FACTS,
  look: Look = {},
): Promise<Page> {
  if (browser === undefined) throw new Error('there is no browser');
  opened = await openPage(browser, flows, facts, look);
  await opened.shownMs();
  return opened.page;
}

/** Names of what has a role of its own on the map: ends and links. */
const itemsOf = (page: Page) =>
  page.$$eval('.map [data-item][aria-label]', (items) =>
    items.map((item) => item.getAttribute('aria-label') ?? ''),
  );

const textOf = (page: Page, selector: string) =>
  page.$eval(selector, (found) => (found as HTMLElement).innerText);

const focusOf = (page: Page) => page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? '');

/** Waits until something is so; what it is says more than that it is not. */
const soon = <T>(read: () => Promise<T>) => expect.poll(read, { timeout: 20_000 });

describe('the map', () => {
  test('has workloads by namespace, and links whose state is told by line, mark and name', async () => {
    const page = await open();
    const items = await itemsOf(page);
    expect(items).toEqual(
      expect.arrayContaining([
        'shop/deploy/web, deploy · 1 pod',
        expect.stringMatching(/^front\/deploy\/gateway to shop\/deploy\/web: denied, 312 flows/),
        expect.stringMatching(/^shop\/deploy\/web to shop\/deploy\/cart: allowed, 48,210 flows/),
        expect.stringMatching(/^shop\/deploy\/cart to shop\/sts\/db: cut, 3 flows/),
        expect.stringMatching(/^shop\/deploy\/cart to 203\.0\.113\.7: would be denied \(audit\), 7 flows/),
        'shop/cronjob/backup to shop/sts/db: allowed, not used',
      ]),
    );
    expect(await page.$$eval('.group text', (titles) => titles.map((title) => title.textContent))).toEqual(
      expect.arrayContaining(['front', 'shop', 'outside']),
    );
    const dashes = await page.$$eval('.map .link .line', (lines) =>
      Object.fromEntries(
        lines.map((line) => [line.parentElement?.classList[1], getComputedStyle(line).strokeDasharray]),
      ),
    );
    expect(new Set(Object.values(dashes)).size, JSON.stringify(dashes)).toBe(4);
    expect(dashes.allow).toBe('none');
    expect(
      await page.$$eval('.map .pill ~ text', (labels) => labels.map((label) => label.textContent).sort()),
    ).toEqual(['! 7', '48k', '✂ 3', '✗ 312']);
  });

  test('opens a link by a click: sentence, rules with what they lack, counts and a command', async () => {
    const page = await open();
    await page.click('[data-item^="link"][aria-hidden] .pill');
    await page.waitForSelector('.panel');
    await page.$$eval('[data-item][aria-label*="denied, 312"]', ([link]) =>
      link?.dispatchEvent(new MouseEvent('click', { bubbles: true })),
    );
    await soon(() => textOf(page, '.panel h2')).toContain('front/deploy/gateway → shop/deploy/web');
    const text = await textOf(page, '.panel');
    expect(text).toContain(DENIED.explanation);
    expect(text).toContain('shop/web-from-front ingress[0]');
    expect(text).toContain('label app=gate wanted, peer has app=gateway');
    expect(text).toContain('- podSelector: {matchLabels: {app: gate}}');
    expect(text).toMatch(/flows\s+312/);
    expect(text).toContain('sluice can front/deploy/gateway shop/deploy/web 8080 --lab shop');
  });

  test('is gone through by keys: along links, into the panel, and back by Escape', async () => {
    const page = await open();
    await page.$eval('.map [tabindex="0"]', (item) => (item as SVGElement).focus());
    expect(await focusOf(page)).toBe('front/deploy/gateway, deploy · 1 pod');
    await page.keyboard.press('ArrowRight');
    expect(await focusOf(page)).toMatch(/^front\/deploy\/gateway to shop\/deploy\/web: denied/);
    await page.keyboard.press('ArrowRight');
    expect(await focusOf(page)).toBe('shop/deploy/web, deploy · 1 pod');
    await page.keyboard.press('ArrowLeft');
    expect(await page.$$eval('.map svg [tabindex="0"]', ({ length }) => length)).toBe(1);
    await page.keyboard.press('Enter');
    await soon(() => page.evaluate(() => document.activeElement?.textContent)).toContain(
      'front/deploy/gateway',
    );
    expect(await textOf(page, '.panel')).toContain(DENIED.explanation);
    await page.keyboard.press('Escape');
    await soon(() => page.$('.panel')).toBeNull();
    expect(await focusOf(page)).toMatch(/^front\/deploy\/gateway to shop\/deploy\/web: denied/);
  });

  test('shows where the focus is', async () => {
    const page = await open();
    await page.keyboard.press('Tab');
    const outline = await page.evaluate(
      () => getComputedStyle(document.activeElement ?? document.body).outlineStyle,
    );
    expect(outline).toBe('solid');
    // On the map itself a ring is drawn.
    await page.$eval('.map [tabindex="0"]', (item) => (item as SVGElement).focus());
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    expect(await page.$eval('.end:focus .ring', (ring) => getComputedStyle(ring).stroke)).not.toBe('none');
  });

  test('shows only what the namespace and the words leave', async () => {
    const page = await open();
    await page.select('select', 'front');
    await soon(() => itemsOf(page)).not.toContain('shop/deploy/cart, deploy · 1 pod');
    await page.select('select', '');
    await page.keyboard.press('/');
    await page.keyboard.type('cart 7070');
    await soon(async () => (await itemsOf(page)).filter((item) => item.includes(' to '))).toEqual([
      expect.stringContaining('shop/deploy/web to shop/deploy/cart'),
    ]);
  });
});

describe('live', () => {
  test('shows flows as they come', async () => {
    const flows = new FlowDouble(SHOP_FLOWS);
    const page = await open(flows);
    await soon(() => textOf(page, '.status')).toContain('live');
    flows.observe(
      edge('shop/deploy/web', 'shop/deploy/cart', {
        flows: 1_800,
        port: 7070,
        policy: 'shop/cart-from-web',
        rule: 0,
      }),
    );
    await soon(() => itemsOf(page)).toContainEqual(expect.stringContaining('allowed, 50,010 flows'));
    flows.observe(edge('shop/deploy/web', 'shop/sts/db', { outcome: 'deny', reason: 'no-rule', port: 5432 }));
    await soon(() => itemsOf(page)).toContainEqual(
      expect.stringContaining('shop/deploy/web to shop/sts/db: denied, 1 flows'),
    );
    await soon(() => textOf(page, '.badge.denied')).toBe('3');
  });

  test('says so when the flows stop coming, and goes on by itself', async () => {
    const flows = new FlowDouble(SHOP_FLOWS);
    const page = await open(flows);
    await soon(() => textOf(page, '.status')).toContain('live');
    flows.break('the injector is gone');
    await soon(() => page.$$eval('[role=alert]', (found) => found.map((one) => one.textContent))).toEqual([
      'the injector is gone',
    ]);
    // What was there stays in sight.
    expect(await itemsOf(page)).toContainEqual(expect.stringContaining('denied, 312 flows'));
    await soon(async () => flows.followers).toBe(1);
    flows.observe(edge('shop/deploy/web', 'shop/sts/db', { outcome: 'deny', reason: 'no-rule', port: 5432 }));
    await soon(() => itemsOf(page)).toContainEqual(
      expect.stringContaining('web to shop/sts/db: denied, 1 flows'),
    );
    expect(await page.$('[role=alert]')).toBeNull();
  });

  test('a page that is closed is followed no longer', async () => {
    const flows = new FlowDouble(SHOP_FLOWS);
    const page = await open(flows);
    await soon(async () => flows.followers).toBe(1);
    await page.goto('about:blank');
    await soon(async () => flows.followers).toBe(0);
  });
});

describe('the lists', () => {
  test('have each denial with its nearest rule, opened by Enter and left by arrows', async () => {
    const page = await open();
    await page.click('a[href="#denied"]');
    await page.waitForSelector('.denied tbody tr');
    const rows = await page.$$eval('.denied tbody tr', (found) =>
      found.map((row) => row.innerText.replaceAll(/\s+/g, ' ')),
    );
    expect(rows).toHaveLength(2);
    expect(rows.join('\n')).toContain(
      'shop/web-from-front ingress[0] label app=gate wanted, peer has app=gateway',
    );
    await page.focus('[data-row]');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.panel .flow');
    const opened = await page.$eval('tr.selected', (row) => row.rowIndex);
    expect(opened).toBe(2);
  });

  test('have policies with hits and state, and pods with what keeps them from it', async () => {
    const page = await open();
    await page.click('a[href="#policies"]');
    await page.waitForSelector('.policy');
    const policies = await page.$$eval('.policy summary', (found) =>
      found.map((row) => row.innerText.replaceAll(/\s+/g, ' ')),
    );
    expect(policies[0]).toMatch(/shop\/cart-from-web ✓ in force .* 48k used/);
    expect(policies[1]).toMatch(/shop\/web-from-front ! 1 of 2 pods .* not used · nearest of 312 denials/);
    await page.click('a[href="#pods"]');
    await page.waitForSelector('.pods');
    expect(await textOf(page, '.pods tbody')).toMatch(
      /shop\/web-2\s+deploy\/web\s+✗ not in force it has no sidecar/,
    );
  });
});

test('shows names as text, whatever they hold', async () => {
  const evil = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>';
  const flow: ObservedFlow = {
    ...DENIED,
    src: { kind: 'workload', namespace: evil, workload: `deploy/${evil}` },
    service: evil,
    reason: evil,
    isolating: [evil],
    near: [{ policy: evil, rule: 0, lacks: [evil] }],
    explanation: evil,
  };
  const facts = dashboardFacts({
    source: { name: evil, live: true, flags: [] },
    workloads: [{ namespace: evil, workload: `deploy/${evil}`, pods: 1 }],
    policies: [
      {
        name: evil,
        selector: evil,
        isolates: ['ingress'],
        workloads: 1,
        pods: 1,
        moreRules: 0,
        rules: [{ direction: 'ingress', index: 0, yaml: evil }],
      },
    ],
    pods: [{ name: evil, workload: evil, policies: [evil], state: 'not-known', why: evil }],
    notes: [evil],
  });
  const page = await open(new FlowDouble([flow]), facts);
  const check = async (selector: string) => {
    await soon(() => textOf(page, selector)).toContain(evil);
    expect(await page.$$eval('#app img:not([src="/icon.svg"]), #app script', ({ length }) => length)).toBe(0);
    expect(await page.evaluate(() => 'hacked' in globalThis)).toBe(false);
  };
  await check('.source');
  await page.$$eval('[data-item][aria-label*="denied"]', ([link]) =>
    link?.dispatchEvent(new MouseEvent('click', { bubbles: true })),
  );
  await check('.panel');
  // A shell takes the name as one word.
  expect(await textOf(page, '.command code')).toContain(`'${evil}/deploy/${evil}'`);
  for (const view of ['denied', 'policies', 'pods']) {
    await page.click(`a[href="#${view}"]`);
    await check('.list');
  }
});

describe('a cluster of 1,000 workloads', () => {
  const name = (at: number) => `ns-${at % 40}/deploy/app-${at}`;
  const flows = Array.from({ length: 3_000 }, (_, at) =>
    edge(name(at % 1_000), name((at * 7 + 13) % 1_000), {
      flows: at + 1,
      outcome: at % 50 === 0 ? 'deny' : 'allow',
    }),
  );
  const facts = dashboardFacts({
    workloads: Array.from({ length: 1_000 }, (_, at) => ({
      namespace: `ns-${at % 40}`,
      workload: `deploy/app-${at}`,
      pods: 3,
    })),
  });

  test('is a matrix that shows within 2 s, of which only what is in sight is in the page', async () => {
    const page = await open(new FlowDouble(flows), facts);
    // On a quiet machine it takes a fraction of that; the figure is for one that does other work.
    expect(await opened?.shownMs()).toBeLessThan(2_000);
    expect(await page.$eval('[role=grid]', (grid) => grid.getAttribute('aria-rowcount'))).toBe('1000');
    expect(await page.$$eval('*', ({ length }) => length)).toBeLessThan(3_000);
  });

  test('is gone through by keys, and becomes a map of namespaces or of what a filter leaves', async () => {
    const page = await open(new FlowDouble(flows), facts);
    await page.focus('[role=grid]');
    const active = () => page.$eval('#active-cell', (cell) => cell.getAttribute('aria-label') ?? '');
    const before = await active();
    for (const key of ['PageDown', 'PageDown', 'PageDown', 'PageDown', 'ArrowRight'] as const)
      await page.keyboard.press(key);
    await soon(active).not.toBe(before);
    const isInSight = await page.$eval('#active-cell', (cell) => {
      const { top, bottom } = cell.getBoundingClientRect();
      return top >= 0 && bottom <= innerHeight;
    });
    expect(isInSight).toBe(true);
    await page.click('.check input');
    await soon(() => page.$$eval('.map .end', ({ length }) => length)).toBe(40);
  });
});

test.each(['light', 'dark'] as const)('is to be read in the %s scheme', async (scheme) => {
  const page = await open(new FlowDouble(SHOP_FLOWS), SHOP_FACTS, { scheme });
  const contrasts = await page.evaluate(() => {
    const style = (selector: string) => getComputedStyle(document.querySelector(selector) ?? document.body);
    const light = (color: string): number => {
      const canvas = new OffscreenCanvas(1, 1).getContext('2d');
      if (canvas === null) return 0;
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
      const parts = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((part) => {
        const value = part / 255;
        return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * (parts[0] ?? 0) + 0.7152 * (parts[1] ?? 0) + 0.0722 * (parts[2] ?? 0);
    };
    const contrast = (a: string, b: string): number => {
      const [low = 0, high = 0] = [light(a), light(b)].sort((x, y) => x - y);
      return (high + 0.05) / (low + 0.05);
    };
    return {
      text: contrast(style('body').color, style('body').backgroundColor),
      name: contrast(style('.end .name').fill, style('.end .box').fill),
      small: contrast(style('.end .what').fill, style('.end .box').fill),
      denied: contrast(style('.link.deny text').fill, style('.link.deny .pill').fill),
      cut: contrast(style('.link.cut text').fill, style('.link.cut .pill').fill),
      audit: contrast(style('.link.audit text').fill, style('.link.audit .pill').fill),
      allowed: contrast(style('.link.allow text').fill, style('.link.allow .pill').fill),
    };
  });
  // WCAG 2.2, 1.4.3.
  for (const [what, ratio] of Object.entries(contrasts)) expect(ratio, what).toBeGreaterThanOrEqual(4.5);
  const [red = 0] =
    (await page.$eval('body', (body) => getComputedStyle(body).backgroundColor)).match(/\d+/g)?.map(Number) ??
    [];
  expect(red < 128).toBe(scheme === 'dark');
});

test('its policy leaves no way from a text to a script', async () => {
  const page = await open();
  const tried = await page.evaluate(() => {
    const attempt = (act: () => unknown): string => {
      try {
        act();
        return 'done';
      } catch (error) {
        return error instanceof Error ? error.name : String(error);
      }
    };
    return [
      attempt(() => {
        document.createElement('div').innerHTML = '<b>text</b>';
      }),
      attempt(() => new Worker('/page.js')),
      attempt(() => {
        document.createElement('script').textContent = 'window.hacked = 1';
      }),
    ];
  });
  expect(tried).toEqual(['TypeError', 'TypeError', 'TypeError']);
  opened?.forget();
});

test('a link works once, and a page that is loaded again goes on', async () => {
  const page = await open();
  expect(page.url()).not.toContain('token');
  await page.reload();
  await page.waitForSelector('.map .end');
  const another = await browser?.newPage();
  await another?.goto(page.url());
  await another?.waitForSelector('.no-session');
  await another?.close();
  // The answer to the page without a session is no complaint of the page that has one.
});
