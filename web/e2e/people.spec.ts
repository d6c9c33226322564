import { endpointFor, expect, newLocation, test } from './hoopoe';

test('nobody is signed in: the page says how, and takes a link', async ({ page, hoopoe }) => {
  await page.goto('/endpoints');
  await expect(page.getByRole('heading', { name: 'You are not signed in' })).toBeVisible();
  await expect(page.getByText('hoopoe login-link')).toBeVisible();
  await page.getByRole('textbox', { name: 'Login link' }).fill('https://example.com/');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByText('This is no login link')).toBeVisible();
  await page.getByRole('textbox', { name: 'Login link' }).fill(await hoopoe.loginLink());
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('heading', { name: 'Endpoints' })).toBeVisible();
});

test('who may only view sees everything and no button that is not theirs', async ({ hoopoe, receiver, signIn }) => {
  const locationId = newLocation();
  const endpoint = await endpointFor(hoopoe, receiver.url, { locationId });
  const event = await hoopoe.publish({ locationId });
  const page = await signIn({ locationId, permissions: ['view'] });
  await expect(page.getByText('View only')).toBeVisible();
  await expect(page.getByRole('link', { name: 'Add endpoint' })).toHaveCount(0);
  await expect(page.getByRole('navigation', { name: 'Console' }).getByRole('link')).toHaveText(['Endpoints', 'Events', 'Event catalogue', 'API keys', 'Sessions']);
  await page.getByRole('table', { name: 'Endpoints' }).getByRole('link').click();
  await expect(page.getByRole('navigation', { name: 'Endpoint' }).getByRole('link')).toHaveText(['Overview', 'Deliveries', 'Settings']);
  for (const path of [`/endpoints/${endpoint.id}`, `/endpoints/${endpoint.id}/deliveries`, `/endpoints/${endpoint.id}/settings`, `/events/${event.id}`, '/api-keys', '/sessions', '/catalogue/ContactCreate']) {
    await page.goto(path);
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
    await expect(page.getByRole('button', { name: /Send|Save|Delete|Disable|Enable|Rotate|Reveal|Resend|Revoke|Cancel delivery|New API key/ })).toHaveCount(0);
    await expect(page.getByRole('link', { name: /Send test|Add endpoint/ })).toHaveCount(0);
  }
  for (const path of [`/endpoints/${endpoint.id}/signing`, `/endpoints/${endpoint.id}/test`, '/endpoints/new']) {
    await page.goto(path);
    await expect(page.getByText('Your session may only view')).toBeVisible();
  }
  await expect(page.getByText(endpoint.secret)).toHaveCount(0);
});

test('the operator sees the system, registers an app, installs it, makes a key and finds all of it in the audit log', async ({ signIn }) => {
  const page = await signIn();
  const console = page.getByRole('navigation', { name: 'Console' });
  await console.getByRole('link', { name: 'System' }).click();
  await expect(page.getByText('Oldest waiting').or(page.getByText('This server has no system page yet'))).toBeVisible();

  await console.getByRole('link', { name: 'Apps & installs' }).click();
  await page.getByLabel('Id of the app').fill('app_story');
  await page.getByRole('button', { name: 'Open' }).click();
  await expect(page.getByText('This app is not registered')).toBeVisible();
  await page.getByLabel('Name').fill('Story app');
  await page.getByLabel('Holds every OAuth scope').uncheck();
  await page.getByLabel('Scopes').fill('contacts.readonly');
  await page.getByRole('button', { name: 'Register' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Story app' })).toBeVisible();
  await page.getByLabel('Id of the location').fill('loc_story');
  await page.getByRole('button', { name: 'Install', exact: true }).click();
  await expect(page.getByText('Installed in location')).toBeVisible();

  await console.getByRole('link', { name: 'API keys' }).click();
  await page.getByRole('button', { name: 'New API key' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Make key' }).click();
  await expect(page.getByRole('dialog').getByLabel('Name')).toHaveAttribute('aria-invalid', 'true');
  await page.getByRole('dialog').getByLabel('Name').fill('Nightly report');
  await page.getByRole('dialog').getByRole('button', { name: 'Make key' }).click();
  await expect(page.getByRole('region', { name: 'API key' })).toHaveText(/^hpk_/);
  await page.getByRole('button', { name: 'I have copied it' }).click();
  const row = page.getByRole('row').filter({ hasText: 'Nightly report' });
  await expect(row).toContainText('never used');
  await row.getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete key' }).click();
  await expect(row).toHaveCount(0);

  await console.getByRole('link', { name: 'Audit' }).click();
  await page.getByLabel('Action').selectOption({ label: 'API key deleted' });
  await expect(page).toHaveURL(/action=api-key.deleted/);
  await page.getByRole('row').filter({ hasText: 'API key deleted' }).getByRole('button').click();
  await expect(page.getByRole('dialog')).toContainText('Nightly report');
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);
});

test('a session is revoked, and its page says so at the next request', async ({ browser, hoopoe, signIn }) => {
  const locationId = newLocation();
  const page = await signIn({ locationId });
  const other = await (await browser.newContext({ baseURL: hoopoe.url })).newPage();
  await other.goto(await hoopoe.loginLink({ locationId, permissions: ['view'] }));
  await expect(other.getByRole('heading', { name: 'Endpoints' })).toBeVisible();
  await page.goto('/sessions');
  await expect(page.getByText('This is you')).toBeVisible();
  await page.getByRole('button', { name: 'Revoke' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
  await expect(page.getByRole('button', { name: 'Revoke' })).toHaveCount(0);
  await other.getByRole('link', { name: 'Events', exact: true }).click();
  await expect(other.getByRole('heading', { name: 'You are not signed in' })).toBeVisible();
  await other.context().close();
});

test('embedded, the frame is left to the parent, on every page', async ({ page, hoopoe }) => {
  const locationId = newLocation();
  await page.goto(await hoopoe.loginLink({ locationId }));
  await page.goto('/endpoints?embed=1');
  await expect(page.getByRole('heading', { name: 'Endpoints' })).toBeVisible();
  await expect(page.getByText('May view and manage')).toHaveCount(0);
  await page.getByRole('link', { name: 'Event catalogue' }).click();
  await expect(page.getByRole('heading', { name: 'Event catalogue' })).toBeVisible();
  await expect(page.getByText('May view and manage')).toHaveCount(0);
  await page.reload();
  await expect(page.getByRole('heading', { name: 'Event catalogue' })).toBeVisible();
  await expect(page.getByText('May view and manage')).toHaveCount(0);
});

test('an error is the sentence of the API, with the page that explains it and a way to try again', async ({ signIn }) => {
  const page = await signIn();
  await page.goto('/deliveries/dlv_01JB2Z8Q4X9T6K3M5N7P0R1S2V');
  const alert = page.getByRole('alert');
  await expect(alert).toContainText('There is no such delivery');
  await expect(alert.getByRole('link', { name: /What to do about it/ })).toHaveAttribute('href', '/docs/errors/not-found');
  await expect(alert.getByRole('button', { name: 'Try again' })).toHaveCount(0);
  await page.route('**/v1/events?*', (route) => route.abort('connectionrefused'));
  await page.goto('/events');
  await expect(page.getByRole('alert')).toContainText('The server does not answer');
  await page.unroute('**/v1/events?*');
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(page.getByRole('alert')).toHaveCount(0);
});

test('a type of the catalogue is searched, read in Rust, and sent to an endpoint', async ({ hoopoe, receiver, signIn }) => {
  const locationId = newLocation();
  await endpointFor(hoopoe, receiver.url, { locationId, description: 'Books' });
  const page = await signIn({ locationId });
  await page.goto('/catalogue');
  await page.getByRole('searchbox').fill('invoice paid');
  await page.getByRole('link', { name: /^Invoice paid/ }).click();
  await expect(page.getByRole('cell', { name: 'amountPaid' })).toBeVisible();
  await page.getByRole('tab', { name: 'Rust' }).click();
  await expect(page).toHaveURL(/language=Rust/);
  await expect(page.getByRole('region', { name: 'Types for Rust' })).toContainText('pub struct InvoicePaid');
  await page.getByRole('button', { name: 'Send me this one' }).click();
  await page.getByRole('button', { name: 'Go to the test' }).click();
  await expect(page.getByLabel('Event type')).toHaveValue('InvoicePaid');
  await page.getByRole('button', { name: 'Send test' }).click();
  await expect(page.getByRole('heading', { name: 'Your receiver accepted it' })).toBeVisible();
  expect(JSON.parse(receiver.requests.at(-1)!.body.toString())).toMatchObject({ type: 'InvoicePaid', locationId });
});
