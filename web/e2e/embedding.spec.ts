// The console in a page of another origin: docs/embedding's own host, which may or may not show it.

import { spawn } from 'node:child_process';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Page } from '@playwright/test';
import { findings } from './axe';
import { endpointFor, expect, newLocation, test, until, type Hoopoe, type Stop } from './hoopoe';
import { site } from './tls';

const HOST = fileURLToPath(new URL('../../docs/embedding/host.mjs', import.meta.url));
const LOGO = fileURLToPath(new URL('../src/app/icon.svg', import.meta.url));

async function freePort(): Promise<number> {
  const server = http.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The CRM: its page at an origin of its own. */
async function hosting({ url, key }: Hoopoe, stops: Stop[], locationId: string, port = 0): Promise<string> {
  const env = { ...process.env, HOOPOE_URL: url, HOOPOE_API_KEY: key, LOCATION_ID: locationId, PORT: String(port) };
  const child = spawn(process.execPath, [HOST], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  stops.push(() => new Promise((resolve) => child.once('exit', resolve) && child.kill()));
  const [, origin = ''] = await until(child, /on (http:\S+)/);
  return origin;
}

test('in the frame of an allowed page one signs in, sees the endpoints and changes one', async ({ page, receiver, serve, stops }) => {
  const port = await freePort();
  const hoopoe = await serve('--frame-ancestor', `http://127.0.0.1:${port}`);
  const locationId = newLocation();
  await hoopoe.call('POST', '/v1/endpoints', { locationId, url: receiver.url, eventTypes: ['ContactCreate'], description: 'Books' });
  await page.goto(await hosting(hoopoe, stops, locationId, port));
  const frame = page.frameLocator('iframe[title="Webhooks"]');
  await expect(frame.getByRole('heading', { level: 1, name: 'Endpoints' })).toBeVisible();
  await expect(frame.getByText('May view and manage')).toHaveCount(0);
  await frame.getByRole('table', { name: 'Endpoints' }).getByRole('link').click();
  await frame.getByRole('button', { name: 'Disable' }).click();
  await frame.getByRole('dialog').getByRole('button', { name: 'Disable' }).click();
  await expect(frame.getByText('Disabled: nothing is sent until you enable it.')).toBeVisible();
  const { data } = await hoopoe.call<{ data: { enabled: boolean }[] }>('GET', `/v1/endpoints?locationId=${locationId}`);
  expect(data.map(({ enabled }) => enabled)).toEqual([false]);
  // Loaded anew, the page brings a new link, and the person is in again.
  await page.reload();
  await expect(frame.getByRole('table', { name: 'Endpoints' })).toContainText('Disabled');
});

test.describe('over https, in the frame of another site', () => {
  test.use({ ignoreHTTPSErrors: true });

  test('the session’s cookie is kept for that site alone, and everything works with it', async ({ page, context, receiver, serve, stops }) => {
    const hooks = await site('hooks.sender.example', stops);
    const crm = await site('app.crm.example', stops);
    const hoopoe = await serve('--public-url', hooks.origin, '--frame-ancestor', crm.origin);
    hooks.lead(hoopoe.url);
    const locationId = newLocation();
    crm.lead(await hosting(hoopoe, stops, locationId));
    await hoopoe.call('POST', '/v1/endpoints', { locationId, url: receiver.url, eventTypes: ['ContactCreate'], description: 'Books' });
    await page.goto(crm.origin);
    const frame = page.frameLocator('iframe[title="Webhooks"]');
    const table = frame.getByRole('table', { name: 'Endpoints' });
    await expect(table).toContainText('Healthy');
    const [cookie, ...others] = await context.cookies();
    expect(others).toEqual([]);
    expect(cookie).toMatchObject({ name: '__Host-hoopoe_session', domain: 'hooks.sender.example', path: '/', httpOnly: true, secure: true, sameSite: 'None', partitionKey: 'https://crm.example' });
    await table.getByRole('link').click();
    await frame.getByRole('button', { name: 'Disable' }).click();
    await frame.getByRole('dialog').getByRole('button', { name: 'Disable' }).click();
    await expect(frame.getByText('Disabled: nothing is sent until you enable it.')).toBeVisible();
    // The frame alone, loaded anew: no link signs anybody in, the cookie does.
    const inside = page.frames().find((each) => each.url().startsWith(hooks.origin))!;
    await inside.goto(inside.url());
    await expect(frame.getByRole('button', { name: 'Enable' })).toBeVisible();
    // The whole page: its new link's session takes the old one's place.
    await page.reload();
    await expect(table).toContainText('Disabled');
    expect((await context.cookies()).map(({ value }) => value)).not.toContain(cookie!.value);
    // At the same address outside of the frame nobody is signed in.
    await page.goto(hooks.origin);
    await expect(page.getByRole('heading', { name: 'You are not signed in' })).toBeVisible();
  });
});

test('a page that was not allowed gets an empty frame from the browser', async ({ page, faults, serve, stops }) => {
  const hoopoe = await serve('--frame-ancestor', 'https://crm.example.com');
  const origin = await hosting(hoopoe, stops, newLocation());
  const refused = page.waitForEvent('console', (message) => /frame-ancestors/.test(message.text()));
  await page.goto(origin);
  expect((await refused).text()).toContain(hoopoe.url);
  const inside = page.frames().find((frame) => frame !== page.mainFrame());
  expect(inside?.url()).toMatch(/^chrome-error:/);
  faults.length = 0;
});

test('name, logo and colour are the platform’s own', async ({ page, serve }) => {
  const hoopoe = await serve('--brand-name', 'Example CRM', '--brand-logo', LOGO, '--brand-color', '#ffe600');
  await page.goto(await hoopoe.loginLink({ locationId: newLocation() }));
  const logo = page.getByRole('link', { name: 'Example CRM' }).locator('img');
  await expect(logo).toBeVisible();
  await expect.poll(() => logo.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBeGreaterThan(0);
  await expect.poll(() => accentOf(page)).toBe('#ffe600');
});

test('whatever the colour, axe finds every text readable, light and dark', async ({ page, signIn, receiver, hoopoe }) => {
  test.setTimeout(120_000);
  const locationId = newLocation();
  const endpoint = await endpointFor(hoopoe, receiver.url, { locationId, description: 'Books' });
  await signIn({ locationId });
  const found: string[] = [];
  // Hard to read on white, hard to read on black, in between, and the usual.
  for (const accent of ['#ffe600', '#120038', '#777777', '#ff2d55', '#7a3cff']) {
    await page.route('**/brand.json', (route) => route.fulfill({ json: { name: 'Example CRM', logo: null, colors: { accent }, dev: true } }));
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      for (const path of ['/endpoints', `/endpoints/${endpoint.id}`]) {
        await page.goto(path);
        await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
        await expect.poll(() => accentOf(page)).toBe(accent);
        found.push(...(await findings(page)).map((finding) => `${accent} ${colorScheme}: ${finding}`));
      }
    }
    await page.unroute('**/brand.json');
  }
  expect(found).toEqual([]);
});

const accentOf = (page: Page) => page.evaluate(() => getComputedStyle(document.documentElement).getPropertyValue('--accent').trim());
