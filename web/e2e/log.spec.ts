import { endpointFor, expect, newLocation, test } from './hoopoe';

test('a delivery that failed for good is resent from the log', async ({ hoopoe, receiver, signIn }) => {
  const locationId = newLocation();
  const endpoint = await endpointFor(hoopoe, receiver.url, { locationId, retrySchedule: [] });
  receiver.answer = () => ({ status: 503 });
  await hoopoe.publish({ locationId, id: 'first', big: 12345678901234567890n.toString() });
  const page = await signIn({ locationId });
  await page.goto(`/endpoints/${endpoint.id}/deliveries?status=failed`);
  await page.getByRole('row').filter({ hasText: 'Failed' }).getByRole('link').click();
  await expect(page.getByText('It failed for good')).toBeVisible();
  receiver.answer = () => ({ status: 200 });
  await page.getByRole('button', { name: 'Resend' }).click();
  await expect(page.getByText('Sent again by hand, of')).toBeVisible();
  await expect(page.locator('header').getByText('Succeeded')).toBeVisible();
  expect(receiver.requests).toHaveLength(2);
  expect(receiver.requests[1]?.body.equals(receiver.requests[0]!.body)).toBe(true);
  expect(receiver.requests[1]?.headers['webhook-id']).toBe(receiver.requests[0]?.headers['webhook-id']);
});

test('all that failed are resent at once, with progress', async ({ hoopoe, receiver, signIn }) => {
  const locationId = newLocation();
  const endpoint = await endpointFor(hoopoe, receiver.url, { locationId, retrySchedule: [] });
  receiver.answer = () => ({ status: 500 });
  for (let index = 0; index < 5; index += 1) await hoopoe.publish({ locationId, id: `c${index}` });
  const page = await signIn({ locationId });
  await page.goto(`/endpoints/${endpoint.id}/deliveries?status=failed`);
  await expect(page.getByRole('row').filter({ hasText: 'Failed' })).toHaveCount(5);
  receiver.answer = () => ({ status: 200 });
  await page.getByRole('button', { name: 'Resend 5 failed' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Resend' }).click();
  await expect(page.getByText('5 deliveries were sent again.')).toBeVisible();
  await page.getByLabel('Status').selectOption({ label: 'Succeeded' });
  await expect(page.getByRole('row').filter({ hasText: 'Sent again by hand' })).toHaveCount(5);
});

test('a retrying delivery says what comes next, can be brought forward and cancelled', async ({ hoopoe, receiver, signIn }) => {
  const locationId = newLocation();
  const endpoint = await endpointFor(hoopoe, receiver.url, { locationId, retrySchedule: [3_600, 3_600] });
  receiver.answer = () => ({ status: 502, body: 'bad gateway', type: 'text/plain' });
  await hoopoe.publish({ locationId });
  const page = await signIn({ locationId });
  await page.goto(`/endpoints/${endpoint.id}/deliveries`);
  await page.getByRole('row').filter({ hasText: 'Retrying' }).getByRole('link').click();
  await expect(page.getByText(/Attempt 2 comes in/)).toBeVisible();
  await expect(page.getByText('2 of 3 attempts are left.')).toBeVisible();
  await page.getByRole('button', { name: 'Try now' }).click();
  await expect(page.getByText(/Attempt 3 comes in/)).toBeVisible();
  await page.getByRole('button', { name: 'Cancel delivery' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel delivery' }).click();
  await expect(page.getByText('It was cancelled')).toBeVisible();
});

test('an event shows what became of it, its bytes as they were published, and why there is no delivery', async ({ hoopoe, receiver, signIn }) => {
  const locationId = newLocation();
  await endpointFor(hoopoe, receiver.url, { locationId });
  const off = await endpointFor(hoopoe, `${receiver.url}/off`, { locationId });
  await hoopoe.call('POST', `/v1/endpoints/${off.id}/disable`);
  const payload = `{"type":"ContactCreate","locationId":"${locationId}","id":"c1","score":12345678901234567890,"z":1.50}`;
  await fetch(`${hoopoe.url}/v1/events`, { method: 'POST', headers: { authorization: `Bearer ${hoopoe.key}`, 'content-type': 'application/json' }, body: payload });
  const page = await signIn({ locationId });
  await page.goto('/events');
  await page.getByRole('row').filter({ hasText: 'ContactCreate' }).getByRole('link').click();
  await expect(page.getByText('Not sent: the endpoint was disabled when it was published.')).toBeVisible();
  await expect(page.getByText('Succeeded')).toBeVisible();
  await page.getByRole('button', { name: 'Show raw' }).click();
  await expect(page.getByRole('region', { name: /Payload/ })).toHaveText(payload);
});

test('bodies of strangers do nothing and are seen as they are', async ({ hoopoe, receiver, signIn }) => {
  const locationId = newLocation();
  const endpoint = await endpointFor(hoopoe, receiver.url, { locationId, retrySchedule: [] });
  const page = await signIn({ locationId });
  const bodies: [RegExp | string, Buffer][] = [
    ['<script>alert(1)</script>', Buffer.from('<script>alert(1)</script><img src=x onerror="alert(2)"><style>body{display:none}</style>')],
    ['‹U+202E›', Buffer.from('\u202Egnp.exe \u2066 שלום \u001b[31mred\u0000')],
    [/\\x00/, Buffer.from(Array.from({ length: 4_096 }, (_, index) => index % 256))],
    [/AAAA/, Buffer.from('A'.repeat(200_000))],
    ['"</script><script>alert(3)</script>"', Buffer.from(JSON.stringify({ html: '</script><script>alert(3)</script>', deep: Array(50).fill({ a: 1 }) }))],
  ];
  for (const [shown, body] of bodies) {
    receiver.answer = () => ({ status: 500, body, type: 'text/html' });
    const { deliveryId } = await hoopoe.call<{ deliveryId: string }>('POST', `/v1/endpoints/${endpoint.id}/test`);
    await page.goto(`/deliveries/${deliveryId}`);
    const answer = page.getByRole('region', { name: /^Body/ });
    await expect(answer).toContainText(shown);
    await expect(answer.locator('script, img, style, a')).toHaveCount(0);
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  }
  await expect(page.getByText('The log keeps the first 64 KiB')).toHaveCount(0);
});

test('the live tail says that the connection is lost, comes back and shows what arrives', async ({ hoopoe, receiver, signIn }) => {
  const locationId = newLocation();
  const endpoint = await endpointFor(hoopoe, receiver.url, { locationId });
  const page = await signIn({ locationId });
  const at = new Date().toISOString();
  const delivery = {
    id: 'dlv_01JB2Z8Q4X9T6K3M5N7P0R1S2V', eventId: 'evt_01JB2Z8Q4X9T6K3M5N7P0R1S2V', endpointId: endpoint.id, type: 'InvoicePaid', locationId,
    trigger: 'event', retryOf: null, status: 'succeeded', attemptCount: 1, nextAttemptAt: null, createdAt: at, completedAt: at, endReason: null,
  };
  const attempt = { number: 1, startedAt: at, durationMs: 83, outcome: 'succeeded', statusCode: 200 };
  const asked: (string | undefined)[] = [];
  let isDown = true;
  await page.route('**/v1/stream?*', async (route) => {
    asked.push(route.request().headers()['last-event-id']);
    if (isDown) return route.abort('connectionreset');
    await route.fulfill({
      contentType: 'text/event-stream',
      body: `: beat\n\nid: 41\nevent: attempt\ndata: ${JSON.stringify({ delivery, attempt })}\n\n`,
    });
  });
  await page.goto(`/endpoints/${endpoint.id}/deliveries`);
  await expect(page.getByRole('status').filter({ hasText: 'Connection lost, reconnecting' })).toBeVisible();
  isDown = false;
  await expect(page.getByRole('row').filter({ hasText: 'InvoicePaid' })).toContainText('200 · 83\u00a0ms');
  await expect.poll(() => asked.at(-1)).toBe('41');
  await page.getByRole('button', { name: 'Pause' }).click();
  await expect(page.getByText('Live tail off')).toBeVisible();
  await expect(page).toHaveURL(/live=/);
});
