// What is asked again and again or goes on for ever: statistics, the server's state, the stream; and whose console it is. An older
// server does not have the routes and answers 404; the console then says so in a sentence.

import { json, post, type Attempt, type Delivery, type Endpoint, type Schemas } from './client';
import { isProblem } from './problem';

export const WINDOWS = ['1h', '24h', '7d', '30d'] as const;
export type StatsWindow = (typeof WINDOWS)[number];

export type EndpointStats = Schemas['EndpointStats'];
export type SystemState = Schemas['System'];

export interface Brand {
  name: string;
  logo: string | null;
  colors: { accent: string | null };
  dev: boolean;
}

export type SignatureVerdict = Schemas['SignatureReport'];

export type StreamMessage =
  | { event: 'attempt'; data: { delivery: Delivery; attempt: Attempt } }
  | { event: 'endpoint'; data: Endpoint | { id: string; deleted: true } }
  | { event: 'reset'; data: Record<string, never> };

/** Whether the server is too old for a route: its own routes answer 404 for an object, so ask only where the object exists. */
export function isMissingRoute(error: unknown): boolean {
  return isProblem(error) && error.status === 404;
}

export const endpointStats = (id: string, window: StatsWindow) =>
  json<EndpointStats>(`/v1/endpoints/${encodeURIComponent(id)}/stats?window=${window}`);

export const systemState = () => json<SystemState>('/v1/system');

export const explainSignature = (body: Schemas['SignatureCheck']) => post<SignatureVerdict>('/v1/signatures/explain', body);

export const PLAIN_BRAND: Brand = { name: 'Hoopoe', logo: null, colors: { accent: null }, dev: false };

export async function brand(): Promise<Brand> {
  try {
    return { ...PLAIN_BRAND, ...(await json<Brand>('/brand.json')) };
  } catch {
    return PLAIN_BRAND;
  }
}
