// Every endpoint with its state and its day.

import { useInfiniteQuery, useQueries } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useMemo } from 'react';
import type { Endpoint } from '~/api/client';
import type { EndpointStats } from '~/api/live';
import { listQuery, rowsOf, statsQuery, type Filters } from '~/api/queries';
import { sortOf, sortText } from '~/app/search';
import { ownerOf, useSigned } from '~/app/session';
import { Trail } from '~/app/layout';
import { HealthBadge } from '~/ui/badge';
import { ButtonLink } from '~/ui/button';
import { Sparkline } from '~/ui/charts';
import { Stranger } from '~/ui/code';
import { FilterSelect, SearchField } from '~/ui/field';
import { milliseconds, percent } from '~/ui/format';
import { Empty, Loading, Note, ProblemNote } from '~/ui/notes';
import { Filters as FilterBar, Page } from '~/ui/page';
import { Table, type Column } from '~/ui/table';
import { Ago } from '~/ui/time';
import { FirstSteps } from './first-steps';

const route = getRouteApi('/endpoints');
const NO_FILTERS: Filters<'/v1/endpoints'> = {};
/** Of so many rows the statistics are asked, the first on the page; each is one request. */
const STATS_ROWS_MAX = 60;

interface Row {
  endpoint: Endpoint;
  stats: EndpointStats | null | undefined;
}

export function EndpointsPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const { mayManage, owner } = useSigned();
  const showOwner = owner.kind === 'platform' || owner.kind === 'company';
  const list = useInfiniteQuery(listQuery('/v1/endpoints', search.owner && showOwner ? ownerFilter(search.owner) : NO_FILTERS, 200));
  const endpoints = useMemo(() => rowsOf(list.data) as Endpoint[], [list.data]);
  const found = useMemo(() => endpoints.filter((endpoint) => fits(endpoint, search.q, search.health)), [endpoints, search.q, search.health]);
  const { byId, isMissing } = useStats(found);
  const rows = useMemo(() => found.map((endpoint): Row => ({ endpoint, stats: byId.get(endpoint.id) })), [found, byId]);
  const columns = useMemo(() => columnsFor(showOwner), [showOwner]);
  const set = (change: Partial<typeof search>) =>
    void navigate({ search: (old) => ({ ...old, ...change }), replace: true });
  const add = mayManage && (
    <ButtonLink look="primary" icon="plus" to="/endpoints/new">
      Add endpoint
    </ButtonLink>
  );
  const isFiltered = Boolean(search.q || search.health || search.owner);
  return (
    <Page title="Endpoints" top={<Trail here="Endpoints" />} intro="The receivers of your events." actions={endpoints.length > 0 && add}>
      {(endpoints.length > 0 || isFiltered) && (
        <FilterBar>
          <SearchField label="Search URL, description, id or event" value={search.q ?? ''} onChange={(q) => set({ q: q || undefined })} />
          <FilterSelect label="Health" value={search.health ?? ''} onChange={(health) => set({ health: health || undefined })} options={HEALTH_OPTIONS} />
          {showOwner && <OwnerFilter value={search.owner ?? ''} onChange={(value) => set({ owner: value || undefined })} />}
        </FilterBar>
      )}
      {isMissing && <Note title="No statistics on this server">Success rates and latencies need a newer version of the server; everything else works.</Note>}
      {list.isPending && <Loading what="the endpoints" />}
      {list.error && <ProblemNote error={list.error} retry={() => void list.refetch()} />}
      {list.data && endpoints.length === 0 && !isFiltered && <FirstSteps action={add} />}
      {list.data && rows.length === 0 && isFiltered && (
        <div className="card">
          <Empty icon="search" title="No endpoint fits" action={<ButtonLink to="/endpoints" search={{}}>Clear the filters</ButtonLink>}>
            {list.hasNextPage && 'Only the endpoints that are loaded were searched.'}
          </Empty>
        </div>
      )}
      {rows.length > 0 && (
        <div className="card overflow-clip">
          <Table
            label="Endpoints"
            rows={rows}
            columns={columns}
            rowKey={rowId}
            rowHeight={61}
            sort={sortOf(search.sort)}
            onSort={(sort) => set({ sort: sortText(sort) })}
            more={{ has: list.hasNextPage, busy: list.isFetchingNextPage, load: () => void list.fetchNextPage() }}
          />
        </div>
      )}
    </Page>
  );
}

const rowId = ({ endpoint }: Row) => endpoint.id;

const HEALTH_OPTIONS = [
  ['', 'Any health'],
  ['healthy', 'Healthy'],
  ['failing', 'Failing'],
  ['recovering', 'Recovering'],
  ['disabled', 'Disabled'],
] as const;

function OwnerFilter({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  return (
    <input
      aria-label="Owner: location, company or app, and its id"
      className="input mono flex-1 basis-48 sm:max-w-64"
      placeholder="location:ve9E…"
      spellCheck={false}
      value={value}
      onChange={(event) => onChange(event.target.value)}
    />
  );
}

/** `location:id`, `company:id`, `app:id`; a bare id is a location's. */
function ownerFilter(text: string): Filters<'/v1/endpoints'> {
  const [kind, id] = text.includes(':') ? (text.split(':', 2) as [string, string]) : ['location', text];
  if (!id || !['location', 'company', 'app'].includes(kind)) return NO_FILTERS;
  return { [`${kind}Id`]: id.trim() };
}

function fits(endpoint: Endpoint, search = '', health = ''): boolean {
  if (health && endpoint.health.state !== health) return false;
  const text = [endpoint.url, endpoint.description, endpoint.id, ownerOf(endpoint).id, ...endpoint.eventTypes].join(' ').toLowerCase();
  return search.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

function useStats(endpoints: Endpoint[]) {
  return useQueries({
    queries: endpoints.slice(0, STATS_ROWS_MAX).map(({ id }) => statsQuery(id, '24h')),
    combine: (answers) => ({
      byId: new Map(answers.map((answer, index) => [endpoints[index]!.id, answer.data] as const)),
      isMissing: answers.length > 0 && answers.every((answer) => answer.data === null),
    }),
  });
}

function columnsFor(showOwner: boolean): Column<Row>[] {
  return [
    {
      id: 'url',
      header: 'URL',
      accessorFn: ({ endpoint }) => endpoint.url,
      meta: { className: 'on-phone-full w-full md:max-w-0' },
      cell: ({ row: { original } }) => <UrlCell endpoint={original.endpoint} showOwner={showOwner} />,
    },
    {
      id: 'health',
      header: 'Health',
      accessorFn: ({ endpoint }) => ['failing', 'recovering', 'disabled', 'healthy'].indexOf(endpoint.health.state),
      cell: ({ row: { original } }) => <HealthBadge health={original.endpoint.health} />,
    },
    {
      id: 'events',
      header: 'Events',
      accessorFn: ({ endpoint }) => (endpoint.eventTypes.includes('*') ? Infinity : endpoint.eventTypes.length),
      meta: { className: 'on-phone-none whitespace-nowrap md:max-lg:hidden' },
      cell: ({ row: { original } }) => <EventsCell types={original.endpoint.eventTypes} />,
    },
    {
      id: 'success',
      header: '24 h success',
      accessorFn: ({ stats }) => stats?.successRate ?? 2,
      cell: ({ row: { original } }) => <SuccessCell stats={original.stats} />,
    },
    {
      id: 'p95',
      header: 'p95',
      accessorFn: ({ stats }) => stats?.latencyMs?.p95 ?? -1,
      meta: { className: 'text-right whitespace-nowrap on-phone-none' },
      cell: ({ row: { original } }) => <span className="text-soft">{original.stats?.latencyMs ? milliseconds(original.stats.latencyMs.p95) : '–'}</span>,
    },
    {
      id: 'last',
      header: 'Last delivery',
      accessorFn: ({ stats }) => stats?.lastAttemptAt ?? '',
      meta: { className: 'text-right whitespace-nowrap text-soft on-phone-none' },
      cell: ({ row: { original } }) => (original.stats?.lastAttemptAt ? <Ago at={original.stats.lastAttemptAt} /> : '–'),
    },
  ];
}

function UrlCell({ endpoint, showOwner }: { endpoint: Endpoint; showOwner: boolean }) {
  const owner = ownerOf(endpoint);
  return (
    <div className="min-w-0">
      <Link to="/endpoints/$id" params={{ id: endpoint.id }} className="row-link block truncate font-medium" title={endpoint.url}>
        {endpoint.url.replace(/^https:\/\//, '')}
      </Link>
      <p className="truncate text-sm text-soft">
        {endpoint.health.state === 'healthy' ? endpoint.description && <Stranger text={endpoint.description} /> : endpoint.health.message}
        {showOwner && (
          <span className="text-faint">
            {endpoint.description || endpoint.health.state !== 'healthy' ? ' · ' : ''}
            {owner.kind} <span className="mono text-xs">{owner.id}</span>
          </span>
        )}
      </p>
    </div>
  );
}

function EventsCell({ types }: { types: string[] }) {
  if (types.includes('*')) return <span>All events</span>;
  return (
    <span title={types.join(', ')}>
      {types.length === 1 ? types[0] : `${types.length} types`}
    </span>
  );
}

function SuccessCell({ stats }: { stats: EndpointStats | null | undefined }) {
  // The same room whether the numbers are there or not: nothing jumps when they come.
  if (!stats) return <span className="inline-block h-5 w-32 text-faint">{stats === undefined ? '' : '–'}</span>;
  const points = stats.series.map(({ outcomes }) => {
    const total = Object.values(outcomes).reduce((sum, value) => sum + value, 0);
    return { good: outcomes.succeeded, bad: total - outcomes.succeeded };
  });
  return (
    <span className="inline-flex w-32 items-center gap-2">
      <span className="w-12 text-right">{stats.successRate === null ? <span className="text-faint">none</span> : percent(stats.successRate)}</span>
      <Sparkline points={points} />
    </span>
  );
}
