/** A dashboard in a real browser. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import puppeteer, { type Browser, type Page } from 'puppeteer-core';
import { buildPage } from '../../cli/dashboard/build_page.ts';
import type { DashboardFacts } from '../../cli/dashboard/form.ts';
import { SHOWN } from '../../cli/dashboard/page/shown_mark.ts';
import { startDashboardServer } from '../../cli/dashboard/server/index.ts';
import { runTool } from '../../common/run_tool.ts';
import type { FlowDouble } from '../support/dashboard_double.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Where distributions put it. */
const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/lib64/chromium-browser/headless_shell',
];

/** Installs a browser where there is none, and starts it. @throws Error where none can be had */
export async function startBrowser(): Promise<Browser> {
  const { status, stderr } = await runTool(['sh', join(ROOT, 'scripts/system_tools.sh'), 'browser'], {
    timeMs: 600_000,
  });
  const executablePath = PLACES.find((path) => existsSync(path));
  if (status !== 0 || executablePath === undefined) throw new Error(`there is no browser: ${stderr}`);
  // Chromium refuses its sandbox to root, and tests run as root.
  return await puppeteer.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

/** A page that shows a dashboard. */
export interface OpenedPage {
  readonly page: Page;
  /** What the browser has complained about, such as what the page's policy forbids. */
  readonly complaints: readonly string[];
  /** Complaints so far were meant. */
  forget(): void;
  /** ms from the begin of navigation until there was a map or a matrix. */
  shownMs(): Promise<number>;
  close(): Promise<void>;
}

/** What it looks like. */
export interface Look {
  readonly scheme?: 'light' | 'dark';
}

/** Serves it, and opens it with a token. */
export async function openPage(
  browser: Browser,
  flows: FlowDouble,
  facts: DashboardFacts,
  { scheme = 'light' }: Look = {},
): Promise<OpenedPage> {
  const { files } = await buildPage();
  const server = await startDashboardServer(
    { flows, facts: async () => facts, page: files, question: {} },
    0,
  );
  const page = await browser.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warn') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.setViewport({ width: 1_400, height: 820 });
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
  await page.goto(server.link());
  return {
    page,
    complaints,
    forget: () => {
      complaints.length = 0;
    },
    shownMs: async () => {
      const mark = await page.waitForFunction(
        (name) => performance.getEntriesByName(name)[0]?.startTime,
        {},
        SHOWN,
      );
      return (await mark.jsonValue()) ?? Number.NaN;
    },
    close: async () => {
      await page.close();
      await server.close();
    },
  };
}
