// What changes on the server changes on the page, by the stream and not by asking again.

import type { Page } from '@playwright/test';
import { withNumbers } from './pages';
import { endpointFor, expect, newLocation, test } from './hoopoe';

/** How often the page asks for a path from now on. */
function askedFor(page: Page, path: RegExp) {
  const asked: string[] = [];
  page.on('request', (request) => {
    if (request.method() === 'GET' && path.test(new URL(request.url()).pathname)) asked.push(request.url());
  });
  return asked;
}

test('the list of endpoints follows what happens to them', async ({ hoopoe, receiver, signIn }) => {
  const locationId = newLocation();
  const endpoint = await endpointFor(hoopoe, receiver.url, { locationId, description: 'Books' });
  const page = await signIn({ locationId });
  await expect(page.getByRole('status').filter({ hasText: 'Live' })).toBeVisible();
  const rows = page.getByRole('table', { name: 'Endpoints' }).locator('tbody').getByRole('row');
  await expect(rows).toContainText(['Healthy']);
  const asked = askedFor(page, /^\/v1\/endpoints$/);
  await hoopoe.call('POST', `/v1/endpoints/${endpoint.id}/disable`);
  await expect(rows).toContainText(['Disabled']);
  await hoopoe.call('POST', `/v1/endpoints/${endpoint.id}/enable`);
  await expect(rows).toContainText(['Healthy']);
  const second = await endpointFor(hoopoe, `${receiver.url}/second`, { locationId, description: 'Warehouse' });
  await expect(rows).toContainText(['Warehouse', 'Books']);
  await endpointFor(hoopoe, receiver.url, { locationId: newLocation(), description: 'Not ours' });
  await hoopoe.call('DELETE', `/v1/endpoints/${second.id}`);
  await expect(rows).toContainText(['Books']);
  await expect(rows).toHaveCount(1);
  expect(asked).toEqual([]);
});

test('a delivery’s page shows each attempt as it is made', async ({ hoopoe, receiver, signIn }) => {
  const locationId = newLocation();
  const endpoint = await endpointFor(hoopoe, receiver.url, { locationId, retrySchedule: [2, 2, 600] });
  receiver.answer = () => ({ status: 503 });
  await hoopoe.publish({ locationId });
  await expect.poll(() => receiver.requests.length).toBeGreaterThan(0);
  const { data } = await hoopoe.call<{ data: { id: string }[] }>('GET', `/v1/deliveries?endpointId=${endpoint.id}`);
  const page = await signIn({ locationId });
  const asked = askedFor(page, /^\/v1\/deliveries\/dlv_/);
  await page.goto(`/deliveries/${data[0]!.id}`);
  await expect(page.getByRole('list', { name: /^Attempts/ }).getByRole('article')).toHaveCount(3);
  await expect(page.getByText(/Attempt 4 comes in/)).toBeVisible();
  await expect(page.getByRole('status').filter({ hasText: 'Live' })).toBeVisible();
  await hoopoe.call('POST', `/v1/endpoints/${endpoint.id}/disable`);
  await expect(page.getByText('It waits without using an attempt')).toBeVisible();
  receiver.answer = () => ({ status: 200 });
  await hoopoe.call('POST', `/v1/endpoints/${endpoint.id}/enable`);
  await hoopoe.call('POST', `/v1/deliveries/${data[0]!.id}/retry`);
  await expect(page.getByRole('main').getByText('Succeeded')).toBeVisible();
  await expect(page.getByRole('status').filter({ hasText: 'Live' })).toHaveCount(0);
  // At its opening, at the stream's, for each of four attempts, for two changes of the endpoint, and by the slow clock.
  expect(asked.length).toBeLessThan(14);
});

test('an endpoint’s state and charts follow on its page', async ({ hoopoe, receiver, signIn }) => {
  const locationId = newLocation();
  const endpoint = await endpointFor(hoopoe, receiver.url, { locationId });
  const page = await signIn({ locationId });
  await page.goto(`/endpoints/${endpoint.id}`);
  await expect(page.getByText('Nothing was sent in this time')).toBeVisible();
  await hoopoe.publish({ locationId });
  await expect(page.getByRole('figure').first()).toBeVisible();
  await hoopoe.call('POST', `/v1/endpoints/${endpoint.id}/disable`);
  await expect(page.getByRole('button', { name: 'Enable' })).toBeVisible();
  await hoopoe.call('DELETE', `/v1/endpoints/${endpoint.id}`);
  await expect(page.getByRole('alert')).toContainText('There is no such endpoint');
});

test('a search reads every endpoint, and says how far it is', async ({ signIn, page }) => {
  const total = 12_000;
  await withNumbers(page);
  await page.route('**/v1/endpoints?*', (route) => {
    const from = Number(new URL(route.request().url()).searchParams.get('cursor') ?? 0);
    const data = Array.from({ length: 200 }, (_, index) => rowOf(from + index));
    return route.fulfill({ json: { data, nextCursor: from + 200 < total ? String(from + 200) : null } });
  });
  await signIn();
  await expect(page.getByText('tenant-0.example.com')).toBeVisible();
  await page.getByRole('searchbox').fill('tenant-4321.');
  await expect(page.getByText('tenant-4321.example.com')).toBeVisible();
  await expect(page.getByText('1 of 5,000 endpoints, and there are more.')).toBeVisible();
  await page.getByRole('button', { name: 'Read on' }).click();
  await expect(page.getByText('1 of 10,000 endpoints, and there are more.')).toBeVisible();
  await page.getByRole('button', { name: 'Read on' }).click();
  await expect(page.getByText('1 of 12,000 endpoints', { exact: true })).toBeVisible();
  await page.getByRole('searchbox').fill('');
  await page.getByRole('button', { name: 'URL' }).click();
  await expect(page.getByText('12,000 endpoints, all of them sorted')).toBeVisible();
  expect(await page.getByRole('row').count()).toBeLessThan(80);
});

function rowOf(number: number) {
  const at = new Date(Date.UTC(2026, 0, 1) - number * 60_000).toISOString();
  return {
    id: `ep_${String(number).padStart(26, '0')}`, url: `https://tenant-${number}.example.com/hooks`, description: '', eventTypes: ['*'], enabled: true, headers: {}, retrySchedule: null,
    locationId: `loc_${number}`, companyId: null, appId: null, createdAt: at, updatedAt: at, health: { state: 'healthy', reason: null, since: at, message: 'It receives.' },
  };
}
