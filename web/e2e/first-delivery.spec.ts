import { expect, newLocation, test, verifies } from './hoopoe';

test('the first endpoint: a test fails, the reason is read, the receiver is mended, a verified delivery arrives', async ({ hoopoe, receiver, signIn }) => {
  const locationId = newLocation();
  const page = await signIn({ locationId });
  receiver.answer = () => ({ status: 500, body: '{"error":"database is locked"}' });

  await expect(page.getByRole('heading', { name: 'Three steps to the first delivery' })).toBeVisible();
  await page.getByRole('link', { name: 'Add endpoint' }).click();
  await page.getByLabel('URL').fill('ftp://nowhere');
  await expect(page.getByText(/begin the URL with https:\/\//)).toBeVisible();
  await page.getByLabel('URL').fill(receiver.url);
  await page.getByLabel('Search the event types').fill('contact created');
  await page.getByRole('checkbox', { name: 'Contact created' }).check();
  await page.getByRole('button', { name: 'Add endpoint' }).click();

  await expect(page.getByRole('heading', { name: 'The endpoint is ready' })).toBeVisible();
  const secret = (await page.getByLabel('Signing secret').textContent()) ?? '';
  expect(secret).toMatch(/^whsec_/);

  await page.getByRole('link', { name: 'Send test' }).click();
  await page.getByRole('button', { name: 'Send test' }).click();
  await expect(page.getByRole('heading', { name: 'It failed' })).toBeVisible();
  await expect(page.getByText('The receiver answered 500.')).toBeVisible();
  await expect(page.getByText('database is locked')).toBeVisible();

  receiver.answer = (request) => ({ status: verifies(secret, request) ? 204 : 401 });
  await page.getByRole('button', { name: 'Send test' }).click();
  await expect(page.getByRole('heading', { name: 'Your receiver accepted it' })).toBeVisible();

  await page.getByRole('navigation', { name: 'Endpoint' }).getByRole('link', { name: 'Deliveries' }).click();
  const table = page.getByRole('table', { name: 'Deliveries of this endpoint' });
  await expect(table.getByRole('row').filter({ hasText: 'Test' })).toHaveCount(2);
  await hoopoe.publish({ locationId });
  const arrived = table.getByRole('row').filter({ hasText: 'ContactCreate' }).filter({ hasNotText: 'Test' });
  await expect(arrived).toContainText('Succeeded');
  await arrived.getByRole('link').click();
  await expect(page.getByRole('heading', { name: 'The attempt' })).toBeVisible();
  await expect(page.getByLabel('Timings')).toContainText('Wait');
});

test('faults stand at their fields in the words of the API', async ({ signIn }) => {
  const page = await signIn();
  await page.goto('/endpoints/new');
  await page.getByRole('button', { name: 'Add endpoint' }).click();
  await expect(page.getByLabel('URL')).toBeFocused();
  await expect(page.getByLabel('URL')).toHaveAccessibleDescription(/Give the address of your receiver/);
  await page.getByLabel('URL').fill('https://hooks.example.com:22/');
  await page.getByLabel('All events').check();
  await page.getByText('Advanced: headers and retries').click();
  await page.getByRole('button', { name: 'Add header' }).click();
  await page.getByLabel('Name of header 1').fill('host');
  await page.getByLabel('Value of header 1').fill('x');
  await page.getByRole('button', { name: 'Add endpoint' }).click();
  await expect(page.getByLabel('URL')).toHaveAccessibleDescription(/port 22 belongs to another protocol/);
  await expect(page.getByText(/this header frames the request/)).toBeVisible();
  await expect(page.getByLabel('Id of the location')).toHaveAttribute('aria-invalid', 'true');
});

test('settings keep the values of headers that come back masked', async ({ hoopoe, receiver, signIn }) => {
  const locationId = newLocation();
  const endpoint = await hoopoe.call<{ id: string }>('POST', '/v1/endpoints', { locationId, url: receiver.url, eventTypes: ['*'], headers: { 'x-team': 'blue' } });
  const page = await signIn({ locationId });
  await page.goto(`/endpoints/${endpoint.id}/settings`);
  await expect(page.getByLabel('Value of header 1')).toHaveValue('********');
  await page.getByLabel('Description').fill('Warehouse');
  await page.getByLabel('My own').check();
  await page.getByLabel('Waits before attempts').fill('5 s, 2 min');
  await expect(page.getByText('tries at once, +5 s, +2 min, then gives up after 2 min 5 s (3 attempts)')).toBeVisible();
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('Saved.')).toBeVisible();
  await hoopoe.publish({ locationId });
  await expect.poll(() => receiver.requests.at(-1)?.headers['x-team']).toBe('blue');
  await page.getByRole('button', { name: 'Delete endpoint' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete endpoint' }).click();
  await expect(page.getByRole('heading', { name: 'Three steps to the first delivery' })).toBeVisible();
});
