// The endpoint's log: filtered by its address, alive when wished.

import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import type { Delivery, DeliveryStatus, ListedDelivery } from '~/api/client';
import { eventTypesQuery, listQuery, rowsOf, type Filters } from '~/api/queries';
import { useStream, type LiveState } from '~/api/stream';
import { PERIOD_OPTIONS, sinceOf } from '~/app/search';
import { useSigned } from '~/app/session';
import { STATUS } from '~/ui/badge';
import { Button, ButtonLink } from '~/ui/button';
import { FilterSelect } from '~/ui/field';
import { Icon } from '~/ui/icon';
import { Live } from '~/ui/live';
import { List } from '~/ui/list';
import { Empty } from '~/ui/notes';
import { Filters as FilterBar } from '~/ui/page';
import { BulkResend } from './bulk-resend';
import { deliveryColumns } from '../deliveries/columns';

const route = getRouteApi('/endpoints/$id/deliveries');
const TAIL_ROWS_MAX = 500;
/** Where there is no stream, the clock. */
const REFRESH_MS = 5_000;
const WAITING_REFRESH_MS = 15_000;

export function EndpointDeliveries() {
  const { id } = route.useParams();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const { mayManage } = useSigned();
  const types = useQuery(eventTypesQuery);
  const wished = search.live !== '0';
  const since = useMemo(() => sinceOf(search.since), [search.since]);
  const filters: Filters<'/v1/deliveries'> = { endpointId: id, type: search.type, status: search.status as DeliveryStatus, since };
  const list = listQuery('/v1/deliveries', filters);
  const tail = useTail(id, wished, (delivery) => fits(delivery, search), list.queryKey);
  const query = useInfiniteQuery({ ...list, refetchInterval: ({ state }) => refreshMs(wished ? tail.state : 'off', state.data?.pages.length ?? 0) });
  const rows = useMemo(() => merged(rowsOf(query.data) as ListedDelivery[], tail.arrived, search), [query.data, tail.arrived, search]);
  const set = (change: Partial<typeof search>) => void navigate({ search: (old) => ({ ...old, ...change }), replace: true });
  const isFiltered = Boolean(search.status || search.type || search.since);
  return (
    <div className="flex flex-col gap-3">
      <FilterBar>
        <FilterSelect label="Status" value={search.status ?? ''} onChange={(status) => set({ status: status || undefined })} options={STATUS_OPTIONS} />
        <FilterSelect
          label="Event type"
          value={search.type ?? ''}
          onChange={(type) => set({ type: type || undefined })}
          options={[['', 'Any type'], ...(types.data ?? []).map(({ type }) => [type, type] as const)]}
        />
        <FilterSelect label="Time" value={search.since ?? ''} onChange={(value) => set({ since: value || undefined })} options={PERIOD_OPTIONS} />
        <span className="flex-1 max-sm:hidden" />
        {mayManage && <BulkResend deliveries={rows} />}
        <LiveSwitch state={wished ? tail.state : 'off'} onChange={(on) => set({ live: on ? undefined : '0' })} />
      </FilterBar>
      <List
        list={query}
        what="the deliveries"
        label="Deliveries of this endpoint"
        rows={rows}
        columns={deliveryColumns}
        rowKey={rowId}
        fresh={tail.fresh}
        empty={<NoDeliveries id={id} isFiltered={isFiltered} clear={() => set({ status: undefined, type: undefined, since: undefined })} />}
      />
    </div>
  );
}

/** The stream tells of attempts; what only waits has none. Who has read far back is not sent there again and again. */
function refreshMs(state: LiveState, pages: number): number | false {
  if (state === 'off' || pages > 1) return false;
  return state === 'unavailable' ? REFRESH_MS : WAITING_REFRESH_MS;
}

const rowId = ({ id }: Delivery) => id;

const STATUS_OPTIONS: [string, string][] = [
  ['', 'Any status'],
  ...Object.entries(STATUS).map(([status, [, , word]]): [string, string] => [status, word]),
];

type Search = ReturnType<typeof route.useSearch>;

function fits(delivery: Delivery, search: Search): boolean {
  const since = sinceOf(search.since);
  return (!search.status || delivery.status === search.status) && (!search.type || delivery.type === search.type) && (!since || delivery.createdAt >= since);
}

function useTail(endpointId: string, enabled: boolean, wants: (delivery: Delivery) => boolean, listKey: readonly unknown[]) {
  const client = useQueryClient();
  const [arrived, setArrived] = useState<ReadonlyMap<string, ListedDelivery>>(new Map());
  const [fresh, setFresh] = useState<ReadonlySet<string>>(new Set());
  const state = useStream({
    endpointId,
    enabled,
    onMessage: (message) => {
      if (message.event !== 'attempt' || message.data.delivery.endpointId !== endpointId) return;
      const delivery = { ...message.data.delivery, lastAttempt: message.data.attempt };
      setArrived((old) => new Map([...[...old].slice(-TAIL_ROWS_MAX), [delivery.id, delivery]]));
      if (wants(delivery)) setFresh(new Set([delivery.id]));
    },
    onGap: () => {
      setArrived(new Map());
      void client.invalidateQueries({ queryKey: listKey });
    },
  });
  return { state, arrived, fresh };
}

/** What the stream told replaces what the list said; what no longer fits the filters goes. */
export function merged(listed: ListedDelivery[], arrived: ReadonlyMap<string, ListedDelivery>, search: Search): ListedDelivery[] {
  const known = new Set(listed.map(({ id }) => id));
  const changed = listed.map((delivery) => later(delivery, arrived.get(delivery.id)));
  const added = [...arrived.values()].filter(({ id }) => !known.has(id));
  const all = [...added, ...changed].filter((delivery) => fits(delivery, search));
  return all.sort((one, other) => (one.createdAt === other.createdAt ? (one.id < other.id ? 1 : -1) : one.createdAt < other.createdAt ? 1 : -1));
}

function later(listed: ListedDelivery, told: ListedDelivery | undefined): ListedDelivery {
  return told && told.attemptCount >= listed.attemptCount && !listed.completedAt ? told : listed;
}

export function LiveSwitch({ state, onChange }: { state: LiveState; onChange: (on: boolean) => void }) {
  return (
    <div className="flex items-center gap-2">
      <Live state={state} />
      <Button small aria-pressed={state !== 'off'} onClick={() => onChange(state === 'off')}>
        <Icon name={state === 'off' ? 'right' : 'pause'} /> {state === 'off' ? 'Follow live' : 'Pause'}
      </Button>
    </div>
  );
}

function NoDeliveries({ id, isFiltered, clear }: { id: string; isFiltered: boolean; clear: () => void }) {
  const { mayManage } = useSigned();
  if (isFiltered) return <Empty icon="search" title="No delivery matches" action={<Button onClick={clear}>Clear the filters</Button>} />;
  return (
    <Empty
      icon="send"
      title="No deliveries yet"
      action={
        mayManage && (
          <ButtonLink look="primary" icon="send" to="/endpoints/$id/test" params={{ id }}>
            Send test
          </ButtonLink>
        )
      }
    >
      They appear here by themselves as events happen. A test shows at once whether your receiver answers.
    </Empty>
  );
}
