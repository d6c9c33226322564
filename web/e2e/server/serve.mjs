// Serves dist/ as the binary will, with the same content policy, and hands everything else to a running server.
// Usage: node e2e/server/serve.mjs <server's base URL> [port]. Prints `console on http://…`.

import { createReadStream, existsSync, statSync } from 'node:fs';
import http from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const [target, port = '0'] = process.argv.slice(2);
const upstream = new URL(target);
const DIST = fileURLToPath(new URL('../../dist', import.meta.url));
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; " +
  "base-uri 'none'; form-action 'self'; frame-ancestors 'self'";
const SERVERS = /^\/(v1|docs|login|openapi\.json|healthz|readyz|metrics|brand\.json|brand)(\/|\?|$)/;
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

function handOn(request, response) {
  const asked = http.request(
    { host: upstream.hostname, port: upstream.port, path: request.url, method: request.method, headers: request.headers },
    (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    },
  );
  asked.on('error', () => response.writeHead(502).end());
  response.on('close', () => asked.destroy());
  request.pipe(asked);
}

function file(request, response) {
  const path = normalize(decodeURIComponent(new URL(request.url, target).pathname));
  const wished = join(DIST, path);
  const isFile = wished.startsWith(DIST) && existsSync(wished) && statSync(wished).isFile();
  if (!isFile && path.startsWith('/assets/')) return response.writeHead(404).end();
  const found = isFile ? wished : join(DIST, 'index.html');
  response.writeHead(200, {
    'content-type': TYPES[extname(found)] ?? 'application/octet-stream',
    'content-security-policy': POLICY,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cache-control': path.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
  });
  createReadStream(found).pipe(response);
}

const server = http.createServer((request, response) => (SERVERS.test(request.url) ? handOn : file)(request, response));
server.listen(Number(port), '127.0.0.1', () => console.log(`console on http://127.0.0.1:${server.address().port}`));
