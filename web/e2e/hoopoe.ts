// A real server on a fresh folder, a receiver that does what a test says, and a signed-in page. A page that breaks the content
// policy or throws fails its test.

import { spawn, type ChildProcess } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test as base, expect, type Page } from '@playwright/test';
import { fronted } from './dist';

export const LOCATION = 've9EPM428h8vShlRW1KT';

export interface Hoopoe {
  url: string;
  key: string;
  call: <T = Record<string, unknown>>(method: string, path: string, body?: unknown) => Promise<T>;
  loginLink: (wish?: Record<string, unknown>) => Promise<string>;
  publish: (payload?: Record<string, unknown>) => Promise<{ id: string; deliveries: number }>;
}

export interface Received {
  path: string;
  headers: http.IncomingHttpHeaders;
  body: Buffer;
}

export interface Receiver {
  url: string;
  requests: Received[];
  /** What it answers from now on. */
  answer: (request: Received) => { status: number; body?: string | Buffer; type?: string };
}

export function until(child: ChildProcess, pattern: RegExp): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    let text = '';
    const read = (chunk: Buffer) => {
      text += chunk.toString();
      const match = pattern.exec(text);
      if (match) resolve(match);
    };
    child.stdout?.on('data', read);
    child.once('exit', (code) => reject(new Error(`it ended with ${code} before it said ${pattern}: ${text}`)));
    child.once('error', reject);
  });
}

async function started(flags: string[] = []): Promise<{ hoopoe: Hoopoe; stop: () => Promise<void> }> {
  const binary = process.env.HOOPOE_BIN;
  if (!binary) throw new Error('HOOPOE_BIN names the server to test with, such as ../target/debug/hoopoe');
  const folder = mkdtempSync(join(tmpdir(), 'hoopoe-console-'));
  const server = spawn(binary, ['serve', '--dev', '--listen', '127.0.0.1:0', '--data-dir', folder, '--log-level', 'error', ...flags], { stdio: ['ignore', 'pipe', 'inherit'] });
  const said = await until(server, /(hpk_\S+)[^]*listening on (http:\S+)/);
  const [, key = '', own = ''] = said;
  // Without the folder the server shows the console that it was compiled with.
  const front = process.env.HOOPOE_DIST ? await fronted(own, process.env.HOOPOE_DIST) : undefined;
  const url = front?.url ?? own;
  const stop = async () => {
    front?.stop();
    await new Promise((resolve) => server.once('exit', resolve) && server.kill('SIGTERM'));
    rmSync(folder, { recursive: true, force: true });
  };
  return { hoopoe: clientOf(url, key), stop };
}

function clientOf(url: string, key: string): Hoopoe {
  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const response = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text ? JSON.parse(text) : {}) as T;
  };
  return {
    url,
    key,
    call,
    loginLink: async (wish = {}) => (await call<{ url: string }>('POST', '/v1/portal-sessions', { permissions: ['view', 'manage'], ...wish })).url,
    publish: (payload = {}) => call('POST', '/v1/events', { type: 'ContactCreate', locationId: LOCATION, id: 'nmFmQEsNgz6AVpgLVUJ0', ...payload }),
  };
}

async function receiving(): Promise<{ receiver: Receiver; stop: () => Promise<void> }> {
  const receiver: Receiver = { url: '', requests: [], answer: () => ({ status: 200 }) };
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const received = { path: request.url ?? '/', headers: request.headers, body: Buffer.concat(chunks) };
      receiver.requests.push(received);
      const { status, body = '', type = 'application/json' } = receiver.answer(received);
      response.writeHead(status, { 'content-type': type }).end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  receiver.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { receiver, stop };
}

/** As docs/receivers/authentication.md says, by either header. */
export function verifies(secret: string, { headers, body }: Received): boolean {
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const content = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.`;
  const standard = `v1,${createHmac('sha256', key).update(content).update(body).digest('base64')}`;
  const given = String(headers['webhook-signature']).split(' ');
  const plain = createHmac('sha256', secret).update(body).digest('hex');
  return given.includes(standard) && headers['x-wl-signature'] === plain;
}

interface Fixtures {
  receiver: Receiver;
  faults: string[];
  signIn: (wish?: Record<string, unknown>) => Promise<Page>;
  /** A server of the test's own, with more flags. */
  serve: (...flags: string[]) => Promise<Hoopoe>;
  /** What ends with the test, also with one that fails. */
  stops: Stop[];
}

export type Stop = () => Promise<unknown>;

export const test = base.extend<Fixtures, { hoopoe: Hoopoe }>({
  hoopoe: [
    async ({}, use) => {
      const { hoopoe, stop } = await started();
      await use(hoopoe);
      await stop();
    },
    { scope: 'worker' },
  ],
  baseURL: async ({ hoopoe }, use) => use(hoopoe.url),
  stops: async ({}, use) => {
    const stops: Stop[] = [];
    await use(stops);
    for (const stop of stops.reverse()) await stop();
  },
  serve: async ({ stops }, use) => {
    await use(async (...flags) => {
      const { hoopoe, stop } = await started(flags);
      stops.push(stop);
      return hoopoe;
    });
  },
  receiver: async ({}, use) => {
    const { receiver, stop } = await receiving();
    await use(receiver);
    await stop();
  },
  faults: [
    async ({ context }, use) => {
      const faults: string[] = [];
      context.on('console', (message) => {
        if (/content security policy|refused to/i.test(message.text())) faults.push(message.text());
      });
      context.on('weberror', (fault) => faults.push(String(fault.error())));
      context.on('dialog', (dialog) => {
        faults.push(`a dialog opened: ${dialog.message()}`);
        void dialog.dismiss();
      });
      await use(faults);
      expect(faults).toEqual([]);
    },
    { auto: true },
  ],
  signIn: async ({ page, hoopoe }, use) => {
    await use(async (wish) => {
      await page.goto(await hoopoe.loginLink(wish));
      await expect(page.getByRole('heading', { level: 1, name: 'Endpoints' })).toBeVisible();
      return page;
    });
  },
});

export { expect };

export interface Endpoint {
  id: string;
  secret: string;
  url: string;
}

export const endpointFor = (hoopoe: Hoopoe, url: string, more: Record<string, unknown> = {}) =>
  hoopoe.call<Endpoint>('POST', '/v1/endpoints', { locationId: LOCATION, url, eventTypes: ['ContactCreate'], ...more });

/** A world of its own for each test. */
let worlds = 0;
export const newLocation = () => `loc_${process.pid}_${(worlds += 1)}`;
