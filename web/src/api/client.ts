// The only way to the server: typed by openapi.json, with the CSRF token on every change, and problems as errors.

import createClient from 'openapi-fetch';
import { Problem, unreachable, type ProblemBody } from './problem';
import type { components, paths } from './schema';

export type Schemas = components['schemas'];
export type Endpoint = Schemas['Endpoint'];
export type Health = Schemas['Health'];
export type Delivery = Schemas['Delivery'];
/** As a list shows it. */
export type ListedDelivery = Schemas['ListedDelivery'];
export type DeliveryDetail = Schemas['DeliveryDetail'];
export type Attempt = Schemas['Attempt'];
export type EventRow = Schemas['Event'];
export type EventDetail = Schemas['EventDetail'];
export type EventType = Schemas['EventType'];
export type ApiKey = Schemas['ApiKey'];
export type AuditEntry = Schemas['AuditEntry'];
export type Session = Schemas['Session'];
export type CurrentSession = Schemas['CurrentSession'];
export type Outcome = Attempt['outcome'];
export type DeliveryStatus = Delivery['status'];

export const isFinal = ({ status }: Pick<Delivery, 'status'>) => status === 'succeeded' || status === 'failed' || status === 'cancelled';

const CHANGES = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

let csrfToken: string | null = null;
let whenSignedOut: () => void = () => {};

export function setCsrfToken(token: string | null) {
  csrfToken = token;
}

export function onSignedOut(tell: () => void) {
  whenSignedOut = tell;
}

/** `fetch` with the session's proof of intent; throws `Problem` alone. */
export async function request(input: Request | string, init?: RequestInit): Promise<Response> {
  const asked = new Request(input, { credentials: 'same-origin', ...init });
  if (CHANGES.has(asked.method) && csrfToken) asked.headers.set('x-csrf-token', csrfToken);
  let response: Response;
  try {
    response = await fetch(asked);
  } catch (fault) {
    if (asked.signal.aborted) throw fault;
    throw unreachable();
  }
  if (response.ok) return response;
  // The session's own question would ask itself for ever.
  if (response.status === 401 && !asked.url.endsWith('/v1/sessions/current')) whenSignedOut();
  throw await problemOf(response);
}

async function problemOf(response: Response): Promise<Problem> {
  const body: unknown = await response.json().catch(() => null);
  const known = typeof body === 'object' && body !== null ? (body as ProblemBody) : {};
  if (!known.detail && response.status >= 502 && response.status <= 504) return unreachable();
  return new Problem(known, response.status);
}

export const api = createClient<paths>({ baseUrl: '/', fetch: (asked) => request(asked) });

/** The data of an answer that is known to be one: whatever is none was thrown as a `Problem`. */
export async function data<T>(answer: Promise<{ data?: T }>): Promise<T> {
  return (await answer).data as T;
}

/** For routes that openapi.json does not yet hold. */
export async function json<T>(path: string, init?: RequestInit): Promise<T> {
  const response = await request(path, init);
  return (await response.json()) as T;
}

export function post<T>(path: string, body: unknown): Promise<T> {
  return json<T>(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}
