// What the stream tells of endpoints, put where the pages read it.

import { useQueryClient, type InfiniteData, type QueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { isFinal, type Delivery, type Endpoint } from './client';
import type { StreamMessage } from './live';
import type { Filters, Page } from './queries';
import { useStream, type LiveState } from './stream';

type EndpointPages = InfiniteData<Page<Endpoint>>;
type EndpointFilters = Filters<'/v1/endpoints'>;
/** However much happens, lists and sums are not asked for more often. */
const AGAIN_MS = 2_000;

/** One endpoint and its sums stay as they are on the server. */
export function useEndpointLive(id: string | undefined): LiveState {
  const client = useQueryClient();
  const [atMost] = useState(() => throttled(AGAIN_MS * 2));
  const sums = () => atMost(() => void client.invalidateQueries({ queryKey: ['stats', id] }));
  return useStream({
    endpointId: id,
    enabled: id !== undefined,
    onMessage: (message) => (message.event === 'attempt' ? sums() : told(client, message)),
    onGap: () => void client.invalidateQueries({ queryKey: ['endpoint', id] }),
  });
}

/** The list of endpoints stays as it is on the server; attempts are too many to follow there. */
export function useEndpointsLive(): LiveState {
  const client = useQueryClient();
  const [atMost] = useState(() => throttled(AGAIN_MS));
  return useStream({
    enabled: true,
    attempts: false,
    onMessage: (message) => told(client, message),
    onGap: () => atMost(() => void client.invalidateQueries({ queryKey: ['/v1/endpoints'] })),
  });
}

/** One delivery, until it is final. */
export function useDeliveryLive(delivery: Pick<Delivery, 'id' | 'endpointId' | 'status'> | undefined): LiveState {
  const client = useQueryClient();
  const again = () => void client.invalidateQueries({ queryKey: ['delivery', delivery?.id] });
  return useStream({
    endpointId: delivery?.endpointId,
    enabled: delivery !== undefined && !isFinal(delivery),
    onMessage: (message) => {
      if (message.event !== 'attempt') told(client, message);
      // A change of the endpoint holds deliveries back, or lets them go.
      if (message.event !== 'attempt' || message.data.delivery.id === delivery?.id) again();
    },
    onGap: again,
  });
}

function told(client: QueryClient, message: StreamMessage) {
  if (message.event !== 'endpoint') return;
  const endpoint = message.data;
  if ('deleted' in endpoint) void client.invalidateQueries({ queryKey: ['endpoint', endpoint.id] });
  else client.setQueryData(['endpoint', endpoint.id], endpoint);
  for (const [key, pages] of client.getQueriesData<EndpointPages>({ queryKey: ['/v1/endpoints'] })) {
    if (pages) client.setQueryData(key, { ...pages, pages: withChange(pages.pages, endpoint, key[1] as EndpointFilters) });
  }
}

/** In its place if it is there; a new one comes first; one that is further back than what is loaded comes with its page. */
export function withChange(pages: Page<Endpoint>[], change: Endpoint | { id: string; deleted: true }, filters: EndpointFilters): Page<Endpoint>[] {
  const isKnown = pages.some(({ data }) => data.some(({ id }) => id === change.id));
  if (isKnown) return pages.map((page) => ({ ...page, data: page.data.flatMap((row) => (row.id !== change.id ? [row] : 'deleted' in change ? [] : [change])) }));
  const [first, ...rest] = pages;
  const newest = first?.data[0];
  if ('deleted' in change || !first || !fits(change, filters) || (newest && newest.createdAt > change.createdAt)) return pages;
  return [{ ...first, data: [change, ...first.data] }, ...rest];
}

const fits = (endpoint: Endpoint, { locationId, companyId, appId }: EndpointFilters) =>
  (!locationId || endpoint.locationId === locationId) && (!companyId || endpoint.companyId === companyId) && (!appId || endpoint.appId === appId);

/** At once, and then at most once in so many milliseconds, the last wish included. */
export function throttled(ms: number): (act: () => void) => void {
  let wished: (() => void) | null = null;
  let isResting = false;
  const turn = () => {
    isResting = wished !== null;
    if (!wished) return;
    wished();
    wished = null;
    setTimeout(turn, ms);
  };
  return (act) => {
    wished = act;
    if (!isResting) turn();
  };
}
