// A CRM's settings page with Hoopoe's console inside. Needs nothing but Node 20:
//
//     HOOPOE_API_KEY=hpk_… node docs/embedding/host.mjs
//
// Start Hoopoe with `--frame-ancestor http://127.0.0.1:4000`, or a browser shows an empty frame.

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';

const hoopoe = process.env.HOOPOE_URL ?? 'http://127.0.0.1:8080';
const key = process.env.HOOPOE_API_KEY;
const location = process.env.LOCATION_ID ?? 've9EPM428h8vShlRW1KT';
const port = Number(process.env.PORT ?? 4000);
const page = await readFile(new URL('host.html', import.meta.url), 'utf8');

/** A link that signs this person in, once and within a minute. The key stays on this side. */
async function loginLink() {
  // Here your backend decides whose settings these are and what this person may do.
  const wish = { locationId: location, permissions: ['view', 'manage'], ttlSeconds: 3600 };
  const answer = await fetch(`${hoopoe}/v1/portal-sessions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(wish),
  });
  const said = await answer.json();
  if (!answer.ok) throw new Error(`Hoopoe answered ${answer.status}: ${said.detail}`);
  return `${said.url}&embed=1`;
}

const server = createServer(async (request, response) => {
  if (request.url !== '/') return response.writeHead(404).end();
  try {
    const html = page.replace('{{link}}', (await loginLink()).replaceAll('&', '&amp;'));
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' }).end(html);
  } catch (fault) {
    response.writeHead(502, { 'content-type': 'text/plain; charset=utf-8' }).end(`${fault.message}\n`);
  }
});
server.listen(port, '127.0.0.1', () => console.log(`Example CRM on http://127.0.0.1:${server.address().port}`));
