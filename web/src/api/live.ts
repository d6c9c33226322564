// Routes that are newer than the openapi.json of this tree, typed by hand; to be replaced by the generated types.
// A server that does not have them answers 404, and the console then says so in a sentence.

import { json, post, type Attempt, type Delivery, type Endpoint, type Health, type Outcome } from './client';
import { isProblem } from './problem';

export const WINDOWS = ['1h', '24h', '7d', '30d'] as const;
export type StatsWindow = (typeof WINDOWS)[number];

export type OutcomeCounts = Record<Outcome, number>;

export interface Latency {
  p50: number;
  p95: number;
  p99: number;
}

export interface StatsBucket {
  at: string;
  outcomes: OutcomeCounts;
  latencyMs: Latency | null;
}

export interface EndpointStats {
  endpointId: string;
  window: StatsWindow;
  since: string;
  until: string;
  bucketSeconds: number;
  attempts: number;
  outcomes: OutcomeCounts;
  successRate: number | null;
  latencyMs: Latency | null;
  lastAttemptAt: string | null;
  series: StatsBucket[];
}

export interface SystemState {
  version: string;
  startedAt: string;
  dev: boolean;
  acceptedPerSecond: number;
  deliveredPerSecond: number;
  failedPerSecond: number;
  waiting: number;
  oldestWaitingAt: string | null;
  series: { at: string; accepted: number; delivered: number; failed: number }[];
  bucketSeconds: number;
  worstEndpoints: {
    endpointId: string;
    url: string;
    locationId: string | null;
    companyId: string | null;
    appId: string | null;
    health: Health;
    waiting: number;
    oldestWaitingAt: string | null;
  }[];
  nodes: { id: string; version: string; startedAt: string }[];
  store: { kind: string; sizeBytes: number; retentionDays: number };
}

export interface Brand {
  name: string;
  logo: string | null;
  colors: { accent: string | null };
  dev: boolean;
}

export interface SignatureFinding {
  header: 'x-wl-signature' | 'webhook-signature';
  valid: boolean;
  explanation: string;
}

export interface SignatureVerdict {
  valid: boolean;
  signatures: SignatureFinding[];
}

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

export const explainSignature = (body: {
  body: string;
  headers: Record<string, string>;
  secret?: string;
  endpointId?: string;
}) => post<SignatureVerdict>('/v1/signatures/explain', body);

export const PLAIN_BRAND: Brand = { name: 'Hoopoe', logo: null, colors: { accent: null }, dev: false };

export async function brand(): Promise<Brand> {
  try {
    return { ...PLAIN_BRAND, ...(await json<Brand>('/brand.json')) };
  } catch {
    return PLAIN_BRAND;
  }
}
