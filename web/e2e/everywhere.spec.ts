import type { Page } from '@playwright/test';
import { findings } from './axe';
import { expect, test } from './hoopoe';
import { everyPage, withNumbers } from './pages';

const settled = async (page: Page) => {
  await expect(page.locator('h1, h2').first()).toBeVisible();
  await expect(page.getByText(/^Loading /)).toHaveCount(0);
};

for (const colorScheme of ['light', 'dark'] as const) {
  test(`axe finds nothing on any page, ${colorScheme}`, async ({ hoopoe, receiver, signIn, page }) => {
    test.setTimeout(180_000);
    await page.emulateMedia({ colorScheme });
    await withNumbers(page);
    const paths = await everyPage(hoopoe, receiver);
    const found: string[] = [];
    await page.goto('/');
    await settled(page);
    found.push(...(await findings(page)));
    await signIn();
    for (const path of paths) {
      await page.goto(path);
      await settled(page);
      found.push(...(await findings(page)));
    }
    expect(found).toEqual([]);
  });
}

/** By how many pixels the page is too wide, or a table in what clips it. */
const overflow = (page: Page) =>
  page.evaluate(() => {
    const tables = [...document.querySelectorAll('table[role="table"]')].map((table) => table.scrollWidth - table.parentElement!.clientWidth);
    return Math.max(document.documentElement.scrollWidth - document.documentElement.clientWidth, ...tables);
  });

test('nothing is wider than a phone of 360 pixels or a tablet of 768, and the navigation opens', async ({ hoopoe, receiver, signIn, page }) => {
  test.setTimeout(120_000);
  await withNumbers(page);
  const paths = await everyPage(hoopoe, receiver);
  await signIn();
  for (const path of paths) {
    for (const width of [768, 360]) {
      await page.setViewportSize({ width, height: 740 });
      await page.goto(path);
      await settled(page);
      expect(await overflow(page), `${path} at ${width}`).toBeLessThanOrEqual(0);
    }
  }
  await page.getByRole('button', { name: 'Open the navigation' }).click();
  await page.getByRole('link', { name: 'Event catalogue' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Event catalogue' })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Open the navigation' })).toBeVisible();
});

test('every page is whole after a reload of its own address', async ({ hoopoe, receiver, signIn, page }) => {
  test.setTimeout(120_000);
  const paths = await everyPage(hoopoe, receiver);
  await signIn();
  for (const path of paths) {
    await page.goto(path);
    await page.reload();
    await settled(page);
  }
});

test('by keyboard alone: an endpoint is added and tested', async ({ receiver, signIn, page }) => {
  await signIn({ locationId: 'loc_keyboard' });
  receiver.answer = () => ({ status: 200 });
  const tabTo = async (name: string | RegExp, role: 'link' | 'button' | 'checkbox' | 'textbox' | 'searchbox') => {
    const wished = page.getByRole(role, { name }).first();
    await expect(wished).toBeVisible();
    for (let step = 0; step < 120; step += 1) {
      if (await wished.evaluate((element) => element === document.activeElement)) return;
      await page.keyboard.press('Tab');
    }
    throw new Error(`the key Tab never came to ${String(name)}`);
  };
  await page.keyboard.press('Tab');
  await expect(page.getByRole('link', { name: 'Skip to the content' })).toBeFocused();
  await page.keyboard.press('Enter');
  await tabTo('Add endpoint', 'link');
  await page.keyboard.press('Enter');
  await tabTo('URL', 'textbox');
  await page.keyboard.type(receiver.url);
  await tabTo(/^All events/, 'checkbox');
  await page.keyboard.press('Space');
  await tabTo('Add endpoint', 'button');
  await page.keyboard.press('Enter');
  await tabTo('Send test', 'link');
  await page.keyboard.press('Enter');
  await expect(page.getByLabel('Event type')).toBeVisible();
  await tabTo('Disable', 'button');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('dialog')).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await expect(page.getByRole('button', { name: 'Disable' })).toBeFocused();
  // Out of the editor too.
  await tabTo(/^Send test/, 'button');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { name: 'Your receiver accepted it' })).toBeFocused();
});

test('ten thousand rows stay few elements', async ({ signIn, page }) => {
  const total = 10_000;
  await page.route('**/v1/events?*', (route) => {
    const from = Number(new URL(route.request().url()).searchParams.get('cursor') ?? 0);
    const data = Array.from({ length: 2_500 }, (_, index) => ({
      id: `evt_${String(from + index).padStart(26, '0')}`, type: 'ContactCreate', locationId: 'loc', companyId: null, appId: null, createdAt: new Date().toISOString(), deliveries: 1,
    }));
    const next = from + data.length;
    return route.fulfill({ json: { data, nextCursor: next < total ? String(next) : null } });
  });
  await signIn();
  await page.goto('/events');
  const rows = page.getByRole('table', { name: 'Events' }).locator('tbody tr');
  await expect(rows.first()).toBeVisible();
  await expect(async () => {
    await page.evaluate(() => window.scrollTo(0, document.body.scrollHeight));
    await expect(page.getByText('10,000 rows in all')).toBeVisible({ timeout: 500 });
  }).toPass();
  expect(await rows.count()).toBeLessThan(120);
});
