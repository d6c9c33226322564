// Everything published.

import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useMemo } from 'react';
import type { EventRow } from '~/api/client';
import { eventTypesQuery, listQuery, rowsOf, type Filters } from '~/api/queries';
import { Trail } from '~/app/layout';
import { PERIOD_OPTIONS, sinceOf } from '~/app/search';
import { ownerOf, useSigned } from '~/app/session';
import { Button } from '~/ui/button';
import { CodeBlock, Stranger } from '~/ui/code';
import { Check, FilterSelect } from '~/ui/field';
import { count } from '~/ui/format';
import { List } from '~/ui/list';
import { Empty } from '~/ui/notes';
import { Filters as FilterBar, Page } from '~/ui/page';
import { type Column } from '~/ui/table';
import { Time } from '~/ui/time';

const route = getRouteApi('/events');

export function EventsPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const { owner } = useSigned();
  const types = useQuery(eventTypesQuery);
  const showsOwner = owner.kind === 'platform' || owner.kind === 'company';
  const since = useMemo(() => sinceOf(search.since), [search.since]);
  const filters: Filters<'/v1/events'> = {
    type: search.type,
    since,
    locationId: showsOwner ? search.locationId : undefined,
    undelivered: search.undelivered === 'true' ? true : undefined,
  };
  const list = useInfiniteQuery({ ...listQuery('/v1/events', filters), refetchInterval: ({ state }) => ((state.data?.pages.length ?? 0) > 1 ? false : REFRESH_MS) });
  const rows = useMemo(() => rowsOf(list.data), [list.data]);
  const columns = useMemo(() => columnsFor(showsOwner), [showsOwner]);
  const set = (change: Partial<typeof search>) => void navigate({ search: (old) => ({ ...old, ...change }), replace: true });
  const isFiltered = Boolean(search.type || search.since || search.locationId || search.undelivered);
  return (
    <Page title="Events" top={<Trail here="Events" />} intro="What was published, and what became of it.">
      <FilterBar>
        <FilterSelect
          label="Event type"
          value={search.type ?? ''}
          onChange={(type) => set({ type: type || undefined })}
          options={[['', 'Any type'], ...(types.data ?? []).map(({ type }) => [type, type] as const)]}
        />
        <FilterSelect label="Time" value={search.since ?? ''} onChange={(value) => set({ since: value || undefined })} options={PERIOD_OPTIONS} />
        {showsOwner && (
          <input
            aria-label="Location"
            className="input mono flex-1 basis-44 sm:max-w-60"
            placeholder="Location id"
            spellCheck={false}
            value={search.locationId ?? ''}
            onChange={(event) => set({ locationId: event.target.value || undefined })}
          />
        )}
        <Check label="Undelivered only" checked={search.undelivered === 'true'} onChange={(event) => set({ undelivered: event.target.checked ? 'true' : undefined })} />
      </FilterBar>
      <List
        list={list}
        what="the events"
        label="Events"
        rows={rows}
        columns={columns}
        rowKey={rowId}
        empty={<NoEvents isFiltered={isFiltered} clear={() => void navigate({ search: {} })} />}
      />
    </Page>
  );
}

/** The stream does not tell of events. Who has read far back is not sent there again and again. */
const REFRESH_MS = 15_000;

const rowId = ({ id }: EventRow) => id;

function columnsFor(showsOwner: boolean): Column<EventRow>[] {
  const columns: (Column<EventRow> | false)[] = [
    {
      id: 'type',
      header: 'Type',
      meta: { className: 'on-phone-full' },
      cell: ({ row: { original } }) => (
        <Link to="/events/$id" params={{ id: original.id }} className="row-link font-medium">
          {original.type}
        </Link>
      ),
    },
    { id: 'id', header: 'Event', meta: { className: 'on-phone-none max-lg:hidden' }, cell: ({ row: { original } }) => <code className="text-xs text-soft">{original.id}</code> },
    showsOwner && {
      id: 'owner',
      header: 'Owner',
      meta: { className: 'on-phone-none' },
      cell: ({ row: { original } }) => {
        const owner = ownerOf(original);
        return (
          <span className="text-sm text-soft">
            {owner.kind} <Stranger text={owner.id ?? ''} className="mono text-xs" />
          </span>
        );
      },
    },
    {
      id: 'deliveries',
      header: 'Deliveries',
      meta: { className: 'text-soft' },
      cell: ({ row: { original } }) => (
        <>
          {count(original.deliveries)}
          <span className="md:hidden"> {original.deliveries === 1 ? 'delivery' : 'deliveries'}</span>
        </>
      ),
    },
    { id: 'created', header: 'Published', meta: { className: 'text-right text-soft max-md:ml-auto' }, cell: ({ row: { original } }) => <Time at={original.createdAt} /> },
  ];
  return columns.filter((column): column is Column<EventRow> => column !== false);
}

function NoEvents({ isFiltered, clear }: { isFiltered: boolean; clear: () => void }) {
  const { owner } = useSigned();
  if (isFiltered) return <Empty icon="search" title="No event matches" action={<Button onClick={clear}>Clear the filters</Button>} />;
  const command = `curl -s ${location.origin}/v1/events \\
  -H "authorization: Bearer $HOOPOE_API_KEY" -H 'content-type: application/json' \\
  -d '{"type": "ContactCreate", "locationId": "${owner.kind === 'location' ? owner.id : 've9EPM428h8vShlRW1KT'}", "id": "nmFmQEsNgz6AVpgLVUJ0"}'`;
  return (
    <Empty icon="events" title="Nothing was published yet">
      <p className="mb-3">The platform publishes events with an API key that may publish. Tests are not among them.</p>
      <CodeBlock label="Command that publishes an event" text={command} />
    </Empty>
  );
}
