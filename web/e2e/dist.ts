// The built console before the server with it is compiled: the files come from a folder, everything else from the server, and the
// headers of the files are those that the server sends with its own page. One address, as for those who use it.

import { createReadStream, existsSync, statSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';

const TYPES: Record<string, string> = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
const SERVERS = /^\/(v1|docs|login|openapi\.json|healthz|readyz|metrics|brand)/;

export async function fronted(server: string, folder: string): Promise<{ url: string; stop: () => void }> {
  const { headers: own } = await fetch(server);
  const policy = own.get('content-security-policy') ?? '';
  const front = http.createServer((request, response) => {
    const path = new URL(request.url ?? '/', server).pathname;
    if (SERVERS.test(path)) return passOn(server, request, response);
    const named = join(folder, normalize(path));
    const file = existsSync(named) && statSync(named).isFile() ? named : join(folder, 'index.html');
    response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream', 'content-security-policy': policy });
    createReadStream(file).pipe(response);
  });
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  const stop = () => {
    front.close();
    front.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${(front.address() as AddressInfo).port}`, stop };
}

/** The request as it came, and the answer as it comes. */
export function passOn(server: string, request: http.IncomingMessage, response: http.ServerResponse) {
  const asked = http.request(server + request.url, { method: request.method ?? 'GET', headers: request.headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  asked.on('error', () => response.destroy());
  response.on('close', () => asked.destroy());
  request.pipe(asked);
}
