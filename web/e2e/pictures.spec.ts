// Pictures of every page with a rich day on it, to be looked at: HOOPOE_PICTURES=folder npm run e2e -- pictures. The receivers are on
// this machine and their day is minutes old; so their addresses and the statistics are replaced on the way to the page.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { expect, LOCATION, test, type Hoopoe, type Receiver } from './hoopoe';

const FOLDER = process.env.HOOPOE_PICTURES ?? '';
const EVENTS = 360;

const PLACES = {
  '/books': ['https://books.brightsmile.example/webhooks/crm', 'Bookkeeping', ['InvoiceCreate', 'InvoicePaid', 'InvoiceVoid']],
  '/warehouse': ['https://ingest.brightsmile.example/v2/events?source=crm', 'Data warehouse', ['*']],
  '/leads': ['https://api.leadrouter.example/inbound/7f3a/contacts', 'Lead router', ['ContactCreate', 'ContactUpdate', 'OpportunityCreate', 'OpportunityStageUpdate']],
  '/calendar': ['https://sync.chairside.example/appointments', 'Front desk calendar', ['AppointmentCreate', 'AppointmentUpdate', 'AppointmentDelete']],
  '/partner': ['https://old-crm.partner.example/hook.php', 'Partner sync, to be replaced in spring', ['ContactCreate', 'ContactUpdate']],
  '/mail': ['https://mail.brightsmile.example/hooks/in', 'Newsletter', ['ContactTagUpdate', 'ContactDndUpdate']],
} as const;
type Place = keyof typeof PLACES;
const TYPES = ['ContactCreate', 'ContactUpdate', 'ContactTagUpdate', 'InvoiceCreate', 'InvoicePaid', 'OpportunityCreate', 'OpportunityStageUpdate', 'AppointmentCreate', 'AppointmentUpdate', 'TaskComplete', 'NoteCreate', 'InboundMessage'];

test.skip(FOLDER === '', 'HOOPOE_PICTURES names the folder for them');

test('pictures of every page', async ({ hoopoe, receiver, signIn, page }) => {
  test.setTimeout(600_000);
  mkdirSync(FOLDER, { recursive: true });
  const ids = await filled(hoopoe, receiver);
  await dressed(page, receiver, ids);
  await signIn();
  const pages = await pagesWith(hoopoe, ids);
  const only = process.env.HOOPOE_PICTURE?.split(',');
  for (const [name, path] of Object.entries(pages)) {
    if (only && !only.includes(name)) continue;
    for (const [width, height] of [[1280, 800], [360, 740]] as const) {
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.setViewportSize({ width, height });
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        await page.goto(path);
        await expect(page.locator('h1, h2').first()).toBeVisible();
        await page.waitForLoadState('networkidle');
        await expect(page.getByText(/^Loading /)).toHaveCount(0);
        await expect(page.getByText('Connecting…')).toHaveCount(0);
        if (name === 'test') await expect(page.locator('textarea')).toHaveCount(0);
        if (name === 'signing') await expect(page.getByRole('tab').first()).toBeVisible();
        // The frame beside the page is as tall as the window: so the window is made as tall as the page.
        const whole = await page.evaluate(() => document.documentElement.scrollHeight);
        if (!name.startsWith('top-')) await page.setViewportSize({ width, height: Math.max(height, whole) });
        await page.screenshot({ path: join(FOLDER, `${name}-${colorScheme}-${width}.png`) });
      }
    }
  }
});

async function filled(hoopoe: Hoopoe, receiver: Receiver): Promise<Record<Place, string>> {
  await hoopoe.call('PUT', `/v1/locations/${LOCATION}`, { name: 'Bright Smile Dental', companyId: 'cmp_5DP4iH6HLkQsiKESj6rh' });
  await hoopoe.call('PUT', '/v1/apps/app_calendar_sync', { name: 'Chairside calendar', scopes: ['calendars/events.readonly', 'contacts.readonly'] });
  await hoopoe.call('PUT', `/v1/apps/app_calendar_sync/installs/${LOCATION}`);
  await hoopoe.call('POST', '/v1/api-keys', { name: 'CRM backend', permissions: ['publish', 'view', 'manage'] });
  await hoopoe.call('POST', '/v1/api-keys', { name: 'Nightly export', permissions: ['view'], locationId: LOCATION, expiresAt: new Date(Date.now() + 30 * 86_400_000).toISOString() });
  const types = new Map((await hoopoe.call<{ data: { type: string; example: Record<string, unknown> }[] }>('GET', '/v1/event-types?limit=200')).data.map(({ type, example }) => [type, example]));
  const ids = {} as Record<Place, string>;
  for (const [path, [, description, eventTypes]] of Object.entries(PLACES) as [Place, (typeof PLACES)[Place]][]) {
    const body = { locationId: LOCATION, url: receiver.url.replace('/hook', path), description, eventTypes: eventTypes.filter((type) => type === '*' || types.has(type)), ...(path === '/books' ? { headers: { 'x-team': 'finance' } } : {}) };
    ids[path] = (await hoopoe.call<{ id: string }>('POST', '/v1/endpoints', body)).id;
  }
  let seen = 0;
  receiver.answer = ({ path }) => {
    seen += 1;
    if (path === '/partner') return { status: 500, body: '{"error":"could not obtain connection from pool: timeout after 5000 ms","trace":"a41c9e07"}' };
    if (path === '/leads' && seen % 7 === 0) return { status: 503, body: '{"message":"upstream is busy, retry later"}' };
    return { status: 200, body: '{"received":true}' };
  };
  const known = TYPES.filter((type) => types.has(type));
  for (let from = 0; from < EVENTS; from += 20) {
    await Promise.all(Array.from({ length: 20 }, (_, index) => {
      const type = known[(from + index) % known.length]!;
      return hoopoe.call('POST', '/v1/events', { ...types.get(type), type, locationId: LOCATION });
    }));
  }
  await hoopoe.call('POST', `/v1/endpoints/${ids['/mail']}/disable`);
  const unfinished = async () => (await hoopoe.call<{ data: unknown[] }>('GET', `/v1/deliveries?endpointId=${ids['/warehouse']}&status=pending`)).data.length;
  await expect.poll(unfinished, { timeout: 60_000 }).toBe(0);
  return ids;
}

/** As the page would be a day later, in the world. */
async function dressed(page: Page, receiver: Receiver, ids: Record<Place, string>) {
  // A stream that says nothing: what it told would show the receivers as they are.
  await page.addInitScript(() => {
    const own = window.fetch;
    window.fetch = (asked, ...rest) => (asked instanceof Request && new URL(asked.url).pathname === '/v1/stream' ? Promise.resolve(new Response(new ReadableStream())) : own(asked, ...rest));
  });
  const origin = receiver.url.replace('/hook', '');
  await page.route(/\/v1\/(endpoints|deliveries|events|system|audit)/, async (route) => {
    if (/\/stats\?/.test(route.request().url())) return route.fulfill({ json: dayOf(route.request().url(), ids) });
    const answer = await route.fetch();
    let text = await answer.text();
    for (const [path, [url]] of Object.entries(PLACES)) text = text.replaceAll(origin + path, url);
    text = text.replaceAll(new URL(origin).host, '203.0.113.24:443').replaceAll('"127.0.0.1:', '"203.0.113.24:');
    return route.fulfill({ response: answer, body: text });
  });
  await page.route('**/brand.json', (route) => route.fulfill({ json: { name: 'Hoopoe', logo: null, colors: { accent: null }, dev: false } }));
}

function dayOf(url: string, ids: Record<Place, string>) {
  const place = (Object.keys(ids) as Place[]).find((path) => url.includes(ids[path])) ?? '/books';
  const start = Math.floor(Date.now() / 1_800_000) * 1_800_000 - 47 * 1_800_000;
  const kinds = ['succeeded', 'http-error', 'timeout', 'dns', 'connect', 'tls', 'blocked', 'protocol'] as const;
  const sums = Object.fromEntries(kinds.map((kind) => [kind, 0])) as Record<(typeof kinds)[number], number>;
  const base = { '/books': 14, '/warehouse': 90, '/leads': 38, '/calendar': 22, '/partner': 12, '/mail': 8 }[place];
  const slow = { '/books': 64, '/warehouse': 118, '/leads': 240, '/calendar': 41, '/partner': 1_900, '/mail': 80 }[place];
  const series = Array.from({ length: 48 }, (_, index) => {
    const at = start + index * 1_800_000;
    const hour = (new Date(at).getUTCHours() + 1) % 24;
    const busy = Math.max(0.08, Math.sin(((hour - 6) / 14) * Math.PI)) * (0.8 + 0.4 * noise(index + base));
    const all = Math.round(base * busy);
    const share = place === '/partner' ? (index > 30 ? 1 : 0.1) : place === '/leads' ? (hour >= 14 && hour < 17 ? 0.45 : 0.04) : index === 17 ? 0.06 : 0;
    const bad = Math.round(all * share);
    const timeouts = Math.round(bad * 0.3);
    const refused = place === '/leads' && hour >= 15 && hour < 17 ? Math.round(bad * 0.2) : 0;
    const outcomes = { ...Object.fromEntries(kinds.map((kind) => [kind, 0])), succeeded: all - bad, timeout: timeouts, connect: refused, 'http-error': bad - timeouts - refused } as typeof sums;
    for (const kind of kinds) sums[kind] += outcomes[kind];
    const p50 = Math.round(slow * (0.8 + 0.4 * noise(index * 3 + base)));
    return { at: new Date(at).toISOString(), outcomes, latencyMs: all ? { p50, p95: Math.round(p50 * (2.1 + noise(index))), p99: Math.round(p50 * (3.6 + 2 * noise(index + 7))) } : null };
  });
  const attempts = Object.values(sums).reduce((sum, value) => sum + value, 0);
  return { window: '24h', since: series[0]!.at, until: new Date().toISOString(), bucketSeconds: 1_800, attempts, outcomes: sums, successRate: sums.succeeded / attempts, latencyMs: { p50: slow, p95: Math.round(slow * 2.6), p99: slow * 5 }, lastAttemptAt: new Date(Date.now() - base * 900).toISOString(), series };
}

const noise = (seed: number) => Math.abs(Math.sin(seed * 12.9898) * 43_758.5453) % 1;

async function pagesWith(hoopoe: Hoopoe, ids: Record<Place, string>): Promise<Record<string, string>> {
  const first = async (query: string) => (await hoopoe.call<{ data: { id: string }[] }>('GET', `/v1/deliveries?limit=1&${query}`)).data[0]?.id ?? '';
  const event = (await hoopoe.call<{ data: { id: string }[] }>('GET', '/v1/events?type=ContactCreate&limit=1')).data[0]!.id;
  const leads = ids['/leads'];
  const tried = await hoopoe.call<{ data: { id: string; attemptCount: number }[] }>('GET', `/v1/deliveries?limit=200&endpointId=${ids['/partner']}`);
  const failing = tried.data.find(({ attemptCount }) => attemptCount > 1)?.id ?? tried.data.find(({ attemptCount }) => attemptCount > 0)?.id ?? '';
  return {
    endpoints: '/endpoints',
    'endpoints-none': '/endpoints?q=nothing-fits',
    new: '/endpoints/new',
    overview: `/endpoints/${leads}`,
    'top-overview': `/endpoints/${leads}`,
    'overview-failing': `/endpoints/${ids['/partner']}`,
    'overview-disabled': `/endpoints/${ids['/mail']}`,
    'top-deliveries': `/endpoints/${leads}/deliveries`,
    'deliveries-none': `/endpoints/${leads}/deliveries?status=cancelled`,
    test: `/endpoints/${leads}/test`,
    signing: `/endpoints/${leads}/signing`,
    settings: `/endpoints/${ids['/books']}/settings`,
    'delivery-succeeded': `/deliveries/${await first(`endpointId=${ids['/warehouse']}&status=succeeded`)}`,
    'delivery-waiting': `/deliveries/${await first(`endpointId=${ids['/partner']}&status=waiting`)}`,
    'delivery-failing': `/deliveries/${failing}`,
    'top-delivery': `/deliveries/${failing}`,
    'delivery-unknown': '/deliveries/dlv_01JB2Z8Q4X9T6K3M5N7P0R1S2V',
    'top-events': '/events',
    event: `/events/${event}`,
    catalogue: '/catalogue',
    'catalogue-type': '/catalogue/OpportunityCreate',
    'api-keys': '/api-keys',
    'top-audit': '/audit',
    apps: '/apps',
    app: '/apps/app_calendar_sync',
    locations: '/locations',
    location: `/locations/${LOCATION}`,
    sessions: '/sessions',
    system: '/system',
    'not-found': '/no/such/page',
  };
}

