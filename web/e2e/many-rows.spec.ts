// A log of many rows scrolls and filters: every request for deliveries is timed in the browser, and once more alone, and the slowest are told.
// By default few rows and a wide budget, which finds what reads too much in a debug build on a busy machine. The measurement, in a release build:
//
//     HOOPOE_ROWS=1000000 HOOPOE_BUDGET_MS=100 HOOPOE_SCROLLS=40 HOOPOE_BIN=../target/release/hoopoe npm run e2e -- many-rows

import { appendFileSync } from 'node:fs';
import type { Page } from '@playwright/test';
import { endpointFor, expect, newLocation, test, type Hoopoe, type Receiver } from './hoopoe';

const ROWS = Number(process.env.HOOPOE_ROWS ?? 3_000);
const BUDGET_MS = Number(process.env.HOOPOE_BUDGET_MS ?? 1_000);
const SCROLLS = Number(process.env.HOOPOE_SCROLLS ?? 15);
const BATCH = 500;
/** Endpoints share the rows: the first is the largest. */
const ENDPOINTS = 4;
const TYPES = ['ContactCreate', 'ContactUpdate', 'TaskCreate', 'NoteCreate'];

interface Timed {
  what: string;
  ms: number;
  /** Asked again by a program, with nothing beside it. */
  alone: number;
  query: string;
}

test(`${ROWS} deliveries scroll and filter without a request over ${BUDGET_MS} ms`, async ({ hoopoe, receiver, signIn, page }) => {
  test.setTimeout(60_000 + ROWS * 2);
  const locationId = newLocation();
  answering(receiver);
  const largest = await filled(hoopoe, receiver.url, locationId);
  await signIn();
  const timed: Timed[] = [];
  let what = 'open';
  page.on('requestfinished', (request) => {
    const url = new URL(request.url());
    if (url.pathname !== '/v1/deliveries') return;
    const { requestStart, responseEnd } = request.timing();
    timed.push({ what, ms: responseEnd - requestStart, alone: 0, query: url.search });
  });
  const open = async (label: string, search: string) => {
    what = label;
    await page.goto(`/endpoints/${largest}/deliveries${search}`);
    await expect(page.getByRole('table', { name: 'Deliveries of this endpoint' }).or(page.getByText('No delivery matches'))).toBeVisible();
    await scrolled(page);
  };
  await open('no filter', '');
  await open('succeeded', '?status=succeeded');
  await open('failed: none of this endpoint’s', '?status=failed');
  await open('retrying: none', '?status=retrying');
  await open('a type', '?type=TaskCreate');
  await open('a type that nothing is of', '?type=InvoicePaid');
  await open('last hour', '?since=1h');
  await open('type, status and time', '?type=NoteCreate&status=succeeded&since=24h');
  await beyond(page, locationId, (label) => (what = label));
  for (const one of timed) {
    const from = performance.now();
    await hoopoe.call('GET', `/v1/deliveries${one.query}`);
    one.alone = performance.now() - from;
  }
  told(timed);
  const slow = timed.filter(({ ms }) => ms > BUDGET_MS);
  expect(slow, 'requests over the budget').toEqual([]);
});

/** By the wheel, as people do, so that pages are asked for ahead of the reader. */
async function scrolled(page: Page) {
  const last = page.locator('tbody tr').last();
  for (let turn = 0; turn < SCROLLS; turn += 1) {
    const more = page.getByText(/ rows? in all$/).or(page.getByText('No delivery matches'));
    if (await more.isVisible()) return;
    const height = await page.evaluate(() => document.documentElement.scrollHeight);
    await page.evaluate(() => window.scrollTo(0, document.documentElement.scrollHeight));
    await expect(last).toBeVisible();
    await expect.poll(async () => (await more.isVisible()) || (await page.evaluate(() => document.documentElement.scrollHeight)) > height).toBe(true);
  }
}

/** Filters that the console's addresses do not have, asked as the console asks. */
async function beyond(page: Page, locationId: string, label: (what: string) => void): Promise<void> {
  const queries = [['all endpoints', ''], ['all of a location', `&locationId=${locationId}`], ['all that failed', '&status=failed'], ['all of a type, a status', '&type=NoteCreate&status=failed']] as const;
  for (const [what, query] of queries) {
    label(what);
    let cursor = '';
    for (let turn = 0; turn < SCROLLS; turn += 1) {
      const answer = page.waitForResponse((response) => response.url().includes('/v1/deliveries?'));
      const next = await page.evaluate(async (path) => ((await (await fetch(path)).json()) as { nextCursor: string | null }).nextCursor, `/v1/deliveries?limit=100${query}${cursor}`);
      await (await answer).finished();
      if (!next) break;
      cursor = `&cursor=${encodeURIComponent(next)}`;
    }
  }
}

/** Well, but for every fourth request to the last endpoint. It forgets what came: that may be a million bodies. */
function answering(receiver: Receiver) {
  let seen = 0;
  receiver.answer = ({ path }) => {
    receiver.requests.length = 0;
    if (!path.endsWith(`/${ENDPOINTS - 1}`)) return { status: 200 };
    seen += 1;
    return { status: seen % 4 === 0 ? 500 : 200 };
  };
}

async function filled(hoopoe: Hoopoe, url: string, locationId: string): Promise<string> {
  const ids: string[] = [];
  for (let number = 0; number < ENDPOINTS; number += 1) {
    const eventTypes = number === 0 ? ['*'] : [TYPES[number]!];
    ids.push((await endpointFor(hoopoe, `${url}/${number}`, { locationId, eventTypes, retrySchedule: [] })).id);
  }
  // Each event of a type that has an endpoint of its own is two deliveries.
  const perEvent = 1 + (ENDPOINTS - 1) / TYPES.length;
  const events = Math.ceil(ROWS / perEvent / BATCH);
  const began = Date.now();
  let sent = 0;
  await Promise.all(Array.from({ length: 8 }, async () => {
    while (sent < events) {
      sent += 1;
      const batch = Array.from({ length: BATCH }, (_, index) => ({ type: TYPES[index % TYPES.length], locationId, id: `o${sent}x${index}` }));
      await hoopoe.call('POST', '/v1/events/batch', { events: batch });
    }
  }));
  const published = (Date.now() - began) / 1_000;
  // Of this world alone: others on the same server may wait for receivers that are gone.
  const some = async (status: string) => (await hoopoe.call<{ data: unknown[] }>('GET', `/v1/deliveries?locationId=${locationId}&status=${status}&limit=1`)).data.length;
  const rest = async () => (await Promise.all(['pending', 'delivering', 'retrying', 'waiting'].map(some))).reduce((sum, found) => sum + found, 0);
  await expect.poll(rest, { timeout: 30_000 + ROWS, intervals: [1_000] }).toBe(0);
  console.log(`${events * BATCH} events, ${Math.round(events * BATCH * perEvent)} deliveries: published in ${published.toFixed(1)} s, delivered in ${((Date.now() - began) / 1_000).toFixed(1)} s`);
  return ids[0]!;
}

function told(timed: Timed[]) {
  const kinds = [...new Set(timed.map(({ what }) => what))];
  for (const kind of kinds) {
    const of = timed.filter(({ what }) => what === kind);
    const line = `${kind}: ${of.length} requests; in the browser ${spread(of.map(({ ms }) => ms))}; alone ${spread(of.map(({ alone }) => alone))}`;
    console.log(line);
    if (process.env.HOOPOE_REPORT) appendFileSync(process.env.HOOPOE_REPORT, `${line}\n`);
  }
}

function spread(times: number[]): string {
  const sorted = [...times].sort((one, other) => one - other);
  return `median ${sorted[Math.floor(sorted.length / 2)]!.toFixed(1)} ms, most ${sorted.at(-1)!.toFixed(1)} ms`;
}
