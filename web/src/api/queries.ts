// What the pages ask for, each under one key.

import { infiniteQueryOptions, queryOptions, type InfiniteData } from '@tanstack/react-query';
import { api, data, type EventType } from './client';
import { brand, endpointStats, isMissingRoute, systemState, type StatsWindow } from './live';
import { request } from './client';
import { payloadText } from '~/ui/json';
import type { EventDetail } from './client';
import type { paths } from './schema';

type ListPath = '/v1/endpoints' | '/v1/deliveries' | '/v1/events' | '/v1/api-keys' | '/v1/audit' | '/v1/sessions';
type QueryOf<P extends ListPath> = NonNullable<paths[P]['get']['parameters']['query']>;
export type Filters<P extends ListPath> = Omit<QueryOf<P>, 'limit' | 'cursor'>;
type RowOf<P extends ListPath> = paths[P]['get']['responses'][200]['content']['application/json']['data'][number];

export interface Page<T> {
  data: T[];
  nextCursor?: string | null;
}

const PAGE_ROWS = 100;

/** A list, newest first, page by page. */
export function listQuery<P extends ListPath>(path: P, filters: Filters<P>, rows = PAGE_ROWS) {
  return infiniteQueryOptions({
    queryKey: [path, filters, rows] as const,
    queryFn: async ({ pageParam, signal }): Promise<Page<RowOf<P>>> => {
      const query = new URLSearchParams();
      for (const [name, value] of Object.entries(filters)) {
        if (value !== undefined && value !== null && value !== '') query.set(name, String(value));
      }
      query.set('limit', String(rows));
      if (pageParam) query.set('cursor', pageParam);
      const response = await request(`${path}?${query}`, { signal });
      return (await response.json()) as Page<RowOf<P>>;
    },
    initialPageParam: '',
    getNextPageParam: (last) => last.nextCursor || undefined,
  });
}

export function rowsOf<T>(pages: InfiniteData<Page<T>> | undefined): T[] {
  return pages?.pages.flatMap((page) => page.data) ?? [];
}

export const endpointQuery = (id: string) =>
  queryOptions({
    queryKey: ['endpoint', id],
    queryFn: () => data(api.GET('/v1/endpoints/{id}', { params: { path: { id } } })),
  });

export const secretQuery = (id: string) =>
  queryOptions({
    queryKey: ['secret', id],
    queryFn: () => data(api.GET('/v1/endpoints/{id}/secret', { params: { path: { id } } })),
    gcTime: 0,
    staleTime: Infinity,
  });

export const deliveryQuery = (id: string) =>
  queryOptions({
    queryKey: ['delivery', id],
    queryFn: () => data(api.GET('/v1/deliveries/{id}', { params: { path: { id } } })),
  });

export interface EventWithBytes extends EventDetail {
  /** The payload as it was published, byte for byte. */
  payloadText: string;
}

export const eventQuery = (id: string) =>
  queryOptions({
    queryKey: ['event', id],
    queryFn: async (): Promise<EventWithBytes> => {
      const response = await request(`/v1/events/${encodeURIComponent(id)}`);
      const text = await response.text();
      const event = JSON.parse(text) as EventDetail;
      return { ...event, payloadText: payloadText(text) ?? JSON.stringify(event.payload) };
    },
  });

/** The whole catalogue; it changes with the server's version alone. */
export const eventTypesQuery = queryOptions({
  queryKey: ['event-types'],
  staleTime: 10 * 60_000,
  queryFn: async (): Promise<EventType[]> => {
    const all: EventType[] = [];
    let cursor: string | undefined;
    do {
      const query = cursor ? { limit: 200, cursor } : { limit: 200 };
      const page = await data(api.GET('/v1/event-types', { params: { query } }));
      all.push(...(page.data as EventType[]));
      cursor = page.nextCursor ?? undefined;
    } while (cursor);
    return all;
  },
});

/** Null where the server has no statistics. */
export const statsQuery = (id: string, window: StatsWindow) =>
  queryOptions({
    queryKey: ['stats', id, window],
    staleTime: 30_000,
    refetchInterval: 60_000,
    queryFn: () => orNull(endpointStats(id, window)),
  });

export const systemQuery = queryOptions({
  queryKey: ['system'],
  refetchInterval: 5_000,
  queryFn: () => orNull(systemState()),
});

export const brandQuery = queryOptions({ queryKey: ['brand'], staleTime: Infinity, queryFn: brand });

export const sessionQuery = queryOptions({
  queryKey: ['session'],
  staleTime: 5 * 60_000,
  retry: false,
  queryFn: () => data(api.GET('/v1/sessions/current')),
});

async function orNull<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer;
  } catch (fault) {
    if (isMissingRoute(fault)) return null;
    throw fault;
  }
}
