import { createHmac } from 'node:crypto';
import { endpointFor, expect, newLocation, test } from './hoopoe';

test('a secret is rotated: both are shown, the grace counts down, the new one is promoted', async ({ hoopoe, receiver, signIn }) => {
  const locationId = newLocation();
  const endpoint = await endpointFor(hoopoe, receiver.url, { locationId });
  const page = await signIn({ locationId });
  await page.goto(`/endpoints/${endpoint.id}/signing`);
  await expect(page.getByText(endpoint.secret)).toHaveCount(0);
  await page.getByRole('button', { name: 'Reveal' }).click();
  await expect(page.getByLabel('Secret', { exact: true })).toHaveText(endpoint.secret);

  await page.getByRole('button', { name: 'Rotate secret' }).click();
  await page.getByLabel('Grace period').selectOption({ label: '1 hour' });
  await page.getByRole('dialog').getByRole('button', { name: 'Rotate' }).click();
  await expect(page.getByLabel('Previous secret', { exact: true })).toHaveText(endpoint.secret);
  await expect(page.getByText(/Grace period: 59\smin\s\d+\ss left/)).toBeVisible();

  const plain = ({ body, headers }: (typeof receiver.requests)[number], secret: string) => createHmac('sha256', secret).update(body).digest('hex') === headers['x-wl-signature'];
  await hoopoe.call('POST', `/v1/endpoints/${endpoint.id}/test`);
  const during = receiver.requests.at(-1)!;
  expect(plain(during, endpoint.secret)).toBe(true);
  expect(String(during.headers['webhook-signature']).split(' ')).toHaveLength(2);

  await page.getByRole('button', { name: 'Rotate secret' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Rotate' }).click();
  await expect(page.getByRole('dialog').getByRole('alert')).toContainText(/rotation/i);
  await page.getByRole('button', { name: 'Keep the secret' }).click();

  const next = (await page.getByLabel('New secret', { exact: true }).textContent()) ?? '';
  await page.getByRole('button', { name: 'End the grace now' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Use the new secret' }).click();
  await expect(page.getByLabel('Previous secret', { exact: true })).toHaveCount(0);
  await hoopoe.call('POST', `/v1/endpoints/${endpoint.id}/test`);
  expect(plain(receiver.requests.at(-1)!, next)).toBe(true);
});

test('a receiver for each of eight languages, chosen by the arrow keys and remembered', async ({ hoopoe, receiver, signIn }) => {
  const locationId = newLocation();
  const endpoint = await endpointFor(hoopoe, receiver.url, { locationId });
  const page = await signIn({ locationId });
  await page.goto(`/endpoints/${endpoint.id}/signing`);
  await expect(page.getByRole('tab')).toHaveText(['Node.js', 'Python', 'Go', 'PHP', 'Ruby', 'Java', 'C#', 'Rust']);
  await page.getByRole('tab', { name: 'Node.js' }).focus();
  await page.keyboard.press('ArrowRight');
  await expect(page.getByRole('region', { name: 'Receiver for Python' })).toContainText('def verify_standard');
  await page.reload();
  await expect(page.getByRole('tab', { name: 'Python' })).toHaveAttribute('aria-selected', 'true');
});

test('a signature that does not match is explained, or the command that does so is shown', async ({ hoopoe, receiver, signIn }) => {
  const locationId = newLocation();
  const endpoint = await endpointFor(hoopoe, receiver.url, { locationId });
  await hoopoe.call('POST', `/v1/endpoints/${endpoint.id}/test`);
  const { headers, body } = receiver.requests.at(-1)!;
  const page = await signIn({ locationId });
  await page.goto(`/endpoints/${endpoint.id}/signing`);
  await page.getByLabel('Body').fill(JSON.stringify(JSON.parse(body.toString()), null, 4));
  await page.getByLabel('x-wl-signature').fill(String(headers['x-wl-signature']));
  await page.getByRole('button', { name: 'Explain' }).click();
  await expect(page.getByText('Does not match', { exact: true }).or(page.getByText('This server cannot explain signatures yet'))).toBeVisible();
});
