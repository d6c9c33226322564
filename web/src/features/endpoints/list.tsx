// Every endpoint with its state and its day.

import { useInfiniteQuery, useQueries, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useEffect, useEffectEvent, useMemo, useState } from 'react';
import type { Endpoint } from '~/api/client';
import { useEndpointsLive } from '~/api/follow';
import type { EndpointStats } from '~/api/live';
import { listQuery, rowsOf, statsQuery, type Filters } from '~/api/queries';
import type { LiveState } from '~/api/stream';
import { sortOf, sortText } from '~/app/search';
import { ownerOf, useSigned } from '~/app/session';
import { Trail } from '~/app/layout';
import { HealthBadge } from '~/ui/badge';
import { Button, ButtonLink } from '~/ui/button';
import { Sparkline } from '~/ui/charts';
import { Stranger } from '~/ui/code';
import { FilterSelect, SearchField } from '~/ui/field';
import { count, milliseconds, percent, plural } from '~/ui/format';
import { Spinner } from '~/ui/icon';
import { Live } from '~/ui/live';
import { Empty, Loading, Note, ProblemNote } from '~/ui/notes';
import { Filters as FilterBar, Page } from '~/ui/page';
import { Table, type Column } from '~/ui/table';
import { Ago, Sentence } from '~/ui/time';
import { FirstSteps } from './first-steps';

const route = getRouteApi('/endpoints');
const NO_FILTERS: Filters<'/v1/endpoints'> = {};
const NO_ENDPOINTS: Endpoint[] = [];
/** Without the stream. */
const REFRESH_MS = 10_000;
/** Who searches reads so many rows before he is asked whether to go on. */
const WHOLE_ROWS_MAX = 5_000;
/** Columns of statistics, and of how many rows they are asked to sort by them; each is one request. */
const BY_NUMBERS = new Set(['success', 'p95', 'last']);
const NUMBERS_MAX = 400;

interface Row {
  endpoint: Endpoint;
  stats: EndpointStats | null | undefined;
}

export function EndpointsPage() {
  const search = route.useSearch();
  const { mayManage, owner } = useSigned();
  const showOwner = owner.kind === 'platform' || owner.kind === 'company';
  const live = useEndpointsLive();
  const list = useInfiniteQuery({
    ...listQuery('/v1/endpoints', search.owner && showOwner ? ownerFilter(search.owner) : NO_FILTERS, 200),
    refetchInterval: ({ state }) => (live === 'live' || live === 'connecting' || (state.data?.pages.length ?? 0) > 1 ? false : REFRESH_MS),
  });
  const endpoints = useMemo(() => rowsOf(list.data) as Endpoint[], [list.data]);
  const found = useMemo(() => endpoints.filter((endpoint) => fits(endpoint, search.q, search.health)), [endpoints, search.q, search.health]);
  const isChosen = Boolean(search.q || search.health);
  const isWhole = isChosen || search.sort !== undefined;
  const whole = useWhole(list, endpoints.length, isWhole);
  const isFiltered = isChosen || Boolean(search.owner);
  const add = mayManage && (
    <ButtonLink look="primary" icon="plus" to="/endpoints/new">
      Add endpoint
    </ButtonLink>
  );
  return (
    <Page title="Endpoints" top={<Trail here="Endpoints" />} intro="The receivers of your events." actions={endpoints.length > 0 && add}>
      {(endpoints.length > 0 || isFiltered) && <EndpointFilters showOwner={showOwner} live={live} />}
      <StatsMissing id={endpoints[0]?.id} />
      {list.isPending && <Loading what="the endpoints" />}
      {list.error && <ProblemNote error={list.error} retry={() => void list.refetch()} />}
      {list.data && endpoints.length === 0 && !isFiltered && <FirstSteps action={add} />}
      {list.data && isWhole && endpoints.length > 0 && <WholeNote whole={whole} loaded={endpoints.length} found={found.length} isChosen={isChosen} />}
      {list.data && found.length === 0 && isFiltered && whole.state !== 'loading' && (
        <div className="card">
          <Empty icon="search" title="No endpoint matches" action={<ButtonLink to="/endpoints" search={{}}>Clear the filters</ButtonLink>} />
        </div>
      )}
      {found.length > 0 && <Found endpoints={found} showOwner={showOwner} more={isWhole ? undefined : { has: list.hasNextPage, busy: list.isFetchingNextPage, load: () => void list.fetchNextPage() }} />}
    </Page>
  );
}

function Found({ endpoints, showOwner, more }: { endpoints: Endpoint[]; showOwner: boolean; more: More | undefined }) {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const sort = sortOf(search.sort);
  const byNumbers = sort !== undefined && BY_NUMBERS.has(sort.by);
  const numbers = useNumbers(endpoints, byNumbers);
  const rows = useMemo(() => endpoints.map((endpoint): Row => ({ endpoint, stats: numbers.get(endpoint.id) })), [endpoints, numbers]);
  const columns = useMemo(() => columnsFor(showOwner), [showOwner]);
  return (
    <>
      {byNumbers && endpoints.length > NUMBERS_MAX && (
        <Note title={`Sorted by the numbers of ${count(NUMBERS_MAX)} endpoints`}>The other {count(endpoints.length - NUMBERS_MAX)} come after them: search or filter to have fewer.</Note>
      )}
      <div className="card overflow-clip">
        <Table
          label="Endpoints"
          rows={rows}
          columns={columns}
          rowKey={rowId}
          rowHeight={61}
          sort={sort}
          onSort={(wished) => void navigate({ search: (old) => ({ ...old, sort: sortText(wished) }), replace: true })}
          more={more}
        />
      </div>
    </>
  );
}

function EndpointFilters({ showOwner, live }: { showOwner: boolean; live: LiveState }) {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const set = (change: Partial<typeof search>) => void navigate({ search: (old) => ({ ...old, ...change }), replace: true });
  return (
    <FilterBar>
      <SearchField label="Search URL, description, id or event" value={search.q ?? ''} onChange={(q) => set({ q: q || undefined })} />
      <FilterSelect label="Health" value={search.health ?? ''} onChange={(health) => set({ health: health || undefined })} options={HEALTH_OPTIONS} />
      {showOwner && <OwnerFilter value={search.owner ?? ''} onChange={(value) => set({ owner: value || undefined })} />}
      <span className="flex-1 max-sm:hidden" />
      <Live state={live} />
    </FilterBar>
  );
}

type More = { has: boolean; busy: boolean; load: () => void };
type Whole = { state: 'done' | 'loading' | 'bound'; goOn: () => void };

/** To search and to sort is to read all: page by page up to a bound, and on from there when wished. */
function useWhole(list: { hasNextPage: boolean; isFetching: boolean; isError: boolean; fetchNextPage: () => Promise<unknown> }, loaded: number, wished: boolean): Whole {
  const [bound, setBound] = useState(WHOLE_ROWS_MAX);
  const state = !list.hasNextPage ? 'done' : loaded < bound ? 'loading' : 'bound';
  const isNext = wished && state === 'loading' && !list.isFetching && !list.isError;
  const next = useEffectEvent(() => void list.fetchNextPage());
  useEffect(() => {
    if (isNext) next();
  }, [isNext, loaded]);
  return { state: wished ? state : 'done', goOn: () => setBound(loaded + WHOLE_ROWS_MAX) };
}

function WholeNote({ whole, loaded, found, isChosen }: { whole: Whole; loaded: number; found: number; isChosen: boolean }) {
  const sum = isChosen ? `${count(found)} of ${plural(loaded, 'endpoint')}` : plural(loaded, 'endpoint');
  return (
    <p role="status" className="flex min-h-7 flex-wrap items-center gap-2 text-sm text-soft">
      {whole.state === 'loading' && (
        <>
          <Spinner /> {sum} so far, reading on…
        </>
      )}
      {whole.state === 'done' && (isChosen ? sum : `${sum}, all of them sorted`)}
      {whole.state === 'bound' && (
        <>
          {sum}, and there are more. <Button small onClick={whole.goOn}>Read on</Button>
        </>
      )}
    </p>
  );
}

function StatsMissing({ id }: { id: string | undefined }) {
  const { data } = useQuery({ ...statsQuery(id ?? '', '24h'), enabled: id !== undefined });
  return data === null && <Note title="No statistics on this server">Success rates and latencies need a newer version of the server; everything else works.</Note>;
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
      placeholder="Owner, such as location:id"
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

/** Rows ask for their own numbers when they are drawn; to sort by numbers, those of all are needed. */
function useNumbers(endpoints: Endpoint[], wished: boolean) {
  const asked = wished ? endpoints.slice(0, NUMBERS_MAX) : NO_ENDPOINTS;
  return useQueries({
    queries: asked.map(({ id }) => statsQuery(id, '24h')),
    combine: (answers) => new Map(answers.map((answer, index) => [asked[index]!.id, answer.data] as const)),
  });
}

function useRowStats(id: string) {
  return useQuery(statsQuery(id, '24h')).data;
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
      meta: { className: 'max-md:ml-auto' },
      cell: ({ row: { original } }) => <SuccessCell id={original.endpoint.id} />,
    },
    {
      id: 'p95',
      header: 'p95',
      accessorFn: ({ stats }) => stats?.latencyMs?.p95 ?? -1,
      meta: { className: 'text-right whitespace-nowrap on-phone-none' },
      cell: ({ row: { original } }) => <LatencyCell id={original.endpoint.id} />,
    },
    {
      id: 'last',
      header: 'Last delivery',
      accessorFn: ({ stats }) => stats?.lastAttemptAt ?? '',
      meta: { className: 'text-right whitespace-nowrap text-soft on-phone-none' },
      cell: ({ row: { original } }) => <LastCell id={original.endpoint.id} />,
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
        {endpoint.description && <Stranger text={endpoint.description} />}
        {showOwner && (
          <span className="text-faint">
            {endpoint.description ? ' · ' : ''}
            {owner.kind} <span className="mono text-xs">{owner.id}</span>
          </span>
        )}
      </p>
      {endpoint.health.state !== 'healthy' && (
        <p className="mt-0.5 line-clamp-2 text-sm text-soft" title={endpoint.health.message}>
          <Sentence text={endpoint.health.message} />
        </p>
      )}
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

function LatencyCell({ id }: { id: string }) {
  const latency = useRowStats(id)?.latencyMs;
  return <span className="text-soft">{latency ? milliseconds(latency.p95) : '–'}</span>;
}

function LastCell({ id }: { id: string }) {
  const at = useRowStats(id)?.lastAttemptAt;
  return at ? <Ago at={at} /> : '–';
}

function SuccessCell({ id }: { id: string }) {
  const stats = useRowStats(id);
  // The same room whether the numbers are there or not: nothing jumps when they come.
  if (!stats) return <span className="inline-block h-5 w-34 text-faint">{stats === undefined ? '' : '–'}</span>;
  const points = stats.series.map(({ outcomes }) => {
    const total = Object.values(outcomes).reduce((sum, value) => sum + value, 0);
    return { good: outcomes.succeeded, bad: total - outcomes.succeeded };
  });
  return (
    <span className="inline-flex w-34 items-center gap-2">
      <span className="w-14 text-right whitespace-nowrap">{stats.successRate === null ? <span className="text-faint">none</span> : percent(stats.successRate)}</span>
      <Sparkline points={points} />
    </span>
  );
}
