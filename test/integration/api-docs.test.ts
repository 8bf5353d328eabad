import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { routesOf } from '../../src/api/access/middleware.ts';
import { RunningApi } from '../support/api-server.ts';
import { startBrowser } from '../support/browser.ts';

const running = new RunningApi();
let browser: Browser;

beforeAll(async () => {
  await running.server.start();
  browser = await startBrowser();
});

afterAll(async () => {
  await browser?.close();
  await running.dispose();
});

describe('/docs in a browser', () => {
  it('shows every route, asks no other host for anything, and has nothing to complain of', async () => {
    const page = await browser.newPage();
    const own = `http://127.0.0.1:${running.port()}`;
    const elsewhere: string[] = [];
    const complaints: string[] = [];
    page.on('request', (request) => {
      if (!request.url().startsWith(`${own}/`) && !request.url().startsWith('data:')) elsewhere.push(request.url());
    });
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(`${own}/docs`);
    const described = routesOf(running.api.app).filter(
      (route) => !route.includes('/docs') && !route.includes('/openapi'),
    );
    await page.waitForFunction(`document.querySelectorAll('.opblock').length >= ${described.length}`, {
      timeout: 20_000,
    });
    const shown = await page.evaluate<string[]>(
      "[...document.querySelectorAll('.opblock-summary')].map((line) => line.querySelector('.opblock-summary-method').textContent + ' ' + line.querySelector('[data-path]').dataset.path)",
    );
    expect(shown.toSorted()).toEqual(described.toSorted());
    expect(complaints).toEqual([]);
    expect(elsewhere).toEqual([]);
  });
});
