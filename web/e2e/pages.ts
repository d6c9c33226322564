// Every page with something on it, for what has to hold everywhere.

import type { Page } from '@playwright/test';
import { endpointFor, newLocation, type Hoopoe, type Receiver } from './hoopoe';

const OUTCOMES = { succeeded: 90, 'http-error': 6, timeout: 2, dns: 0, connect: 1, tls: 0, blocked: 1, protocol: 0 };
const LATENCY = { p50: 80, p95: 240, p99: 510 };

/** Numbers that a server just started does not have. */
export async function withNumbers(page: Page) {
  await page.route(/\/v1\/endpoints\/[^/]+\/stats\?/, (route) => {
    const start = Date.now() - 86_400_000;
    const series = Array.from({ length: 48 }, (_, index) => ({ at: new Date(start + index * 1_800_000).toISOString(), outcomes: OUTCOMES, latencyMs: index % 9 ? LATENCY : null }));
    return route.fulfill({
      json: { window: '24h', since: series[0]!.at, until: new Date().toISOString(), bucketSeconds: 1_800, attempts: 4_800, outcomes: OUTCOMES, successRate: 0.9, latencyMs: LATENCY, lastAttemptAt: series.at(-1)!.at, series },
    });
  });
  await page.route('**/v1/system', (route) => {
    const at = new Date().toISOString();
    return route.fulfill({
      json: {
        version: '0.1.0', startedAt: at, dev: true, acceptedPerSecond: 41.5, deliveredPerSecond: 40, failedPerSecond: 0.2, waiting: 12, oldestWaitingAt: at, bucketSeconds: 10,
        series: Array.from({ length: 30 }, (_, index) => ({ at: new Date(Date.now() - (30 - index) * 10_000).toISOString(), accepted: 400 + index, delivered: 390, failed: 2 })),
        worstEndpoints: [{ endpointId: 'ep_01JB2Z8Q4X9T6K3M5N7P0R1S2V', url: 'https://hooks.example.com/hoop', locationId: 'loc', companyId: null, appId: null, health: { state: 'failing', reason: 'timeout', since: at, message: `It fails until ${at}.` }, waiting: 12, oldestWaitingAt: at }],
        answeredBy: 'node-1', inFlight: 3,
        nodes: ['node-1', 'node-2'].map((id) => ({ id, name: `hooks-with-a-long-name.internal/${id}`, version: '0.1.0', startedAt: at, renewedAt: at, acceptedPerSecond: 20.5, deliveredPerSecond: 20, failedPerSecond: 0.1, inFlight: 1 })),
        store: { kind: 'sqlite', sizeBytes: 73_400_320, retentionDays: 30 },
      },
    });
  });
  await page.route('**/brand.json', (route) => route.fulfill({ json: { name: 'Hoopoe', logo: null, colors: { accent: null }, dev: true } }));
}

export async function everyPage(hoopoe: Hoopoe, receiver: Receiver): Promise<string[]> {
  const locationId = newLocation();
  await hoopoe.call('PUT', `/v1/locations/${locationId}`, { name: 'Main Street', companyId: 'company_1' });
  await hoopoe.call('PUT', '/v1/apps/app_pages', { name: 'Sync', scopes: ['contacts.readonly'] });
  const fine = await endpointFor(hoopoe, receiver.url, { locationId, description: 'A description that is rather long, so that it has to be cut somewhere on a phone', headers: { 'x-team': 'blue' } });
  const failing = await endpointFor(hoopoe, `${receiver.url}/fails/with/a/path/that/is/long/enough/to/not/fit/on/a/phone`, { locationId, retrySchedule: [3_600], eventTypes: ['*'] });
  receiver.answer = ({ headers }) => (headers['x-team'] ? { status: 200, body: '{"ok":true}' } : { status: 503, body: `${'long'.repeat(100)} \u202E\u0000<b>` });
  await hoopoe.call('POST', '/v1/api-keys', { name: 'Nightly export', permissions: ['view', 'manage', 'publish'], locationId: 've9EPM428h8vShlRW1KT', expiresAt: new Date(Date.now() + 30 * 86_400_000).toISOString() });
  const event = await hoopoe.publish({ locationId });
  const id = fine.id;
  const deliveryOf = async (endpointId: string) => (await hoopoe.call<{ data: { id: string }[] }>('GET', `/v1/deliveries?endpointId=${endpointId}`)).data[0]!.id;
  const details = await Promise.all([fine.id, failing.id].map(deliveryOf));
  return [
    '/endpoints',
    '/endpoints?q=nothing-fits-this',
    '/endpoints/new',
    `/endpoints/${id}`,
    `/endpoints/${failing.id}/deliveries`,
    `/endpoints/${id}/test`,
    `/endpoints/${id}/signing`,
    `/endpoints/${id}/settings`,
    ...details.map((delivery) => `/deliveries/${delivery}`),
    '/deliveries/dlv_01JB2Z8Q4X9T6K3M5N7P0R1S2V',
    '/events',
    `/events/${event.id}`,
    '/catalogue',
    '/catalogue/InvoicePaid',
    '/api-keys',
    '/audit',
    '/apps',
    '/apps/app_pages',
    '/locations',
    `/locations/${locationId}`,
    '/sessions',
    '/system',
    '/no/such/page',
  ];
}
