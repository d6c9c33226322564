// How the endpoint does: outcomes over time, the receiver's latency, what went wrong.

import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import type { Outcome } from '~/api/client';
import { WINDOWS, type EndpointStats, type StatsWindow } from '~/api/live';
import { endpointQuery, statsQuery } from '~/api/queries';
import { ownerOf, OWNER_WORDS } from '~/app/session';
import { OUTCOMES } from '~/ui/badge';
import { ButtonLink } from '~/ui/button';
import { Chart, Stat, type Series } from '~/ui/charts';
import { count, milliseconds, percent, plural } from '~/ui/format';
import { Empty, Loading, Note, ProblemNote } from '~/ui/notes';
import { Card, Facts } from '~/ui/page';
import { Ago, Time } from '~/ui/time';
import { DEFAULT_SCHEDULE, scheduleWords } from '../endpoints/schedule';

const route = getRouteApi('/endpoints/$id/');

const WINDOW_WORDS: Record<StatsWindow, string> = { '1h': '1 hour', '24h': '24 hours', '7d': '7 days', '30d': '30 days' };

const NETWORK: Series = { key: 'network', label: 'Network', colour: 'var(--chart-network)' };

export const OUTCOME_SERIES: Series[] = [
  { key: 'succeeded', label: 'Succeeded', colour: 'var(--ok-mark)' },
  { key: 'http-error', label: 'HTTP error', colour: 'var(--chart-http)' },
  { key: 'timeout', label: 'Timeout', colour: 'var(--chart-timeout)' },
  NETWORK,
  { key: 'blocked', label: 'Blocked', colour: 'var(--chart-blocked)' },
];

const LATENCY_SERIES: Series[] = [
  { key: 'p50', label: 'p50', colour: 'var(--ok-mark)' },
  { key: 'p95', label: 'p95', colour: 'var(--info-mark)', dash: '6 4' },
  { key: 'p99', label: 'p99', colour: 'var(--chart-network)', dash: '1.5 4' },
];

export function Overview() {
  const { id } = route.useParams();
  const search = route.useSearch();
  const window = WINDOWS.find((known) => known === search.window) ?? '24h';
  const stats = useQuery({ ...statsQuery(id, window), placeholderData: keepPreviousData });
  return (
    <div className="flex flex-col gap-4">
      <nav aria-label="Time" className="flex w-fit max-w-full gap-0.5 overflow-x-auto rounded-lg bg-sunk p-0.5">
        {WINDOWS.map((option) => (
          <Link
            key={option}
            from="/endpoints/$id"
            to="."
            search={{ window: option }}
            aria-current={option === window ? 'true' : undefined}
            className="rounded-md px-3 py-1 text-sm font-medium whitespace-nowrap text-soft hover:text-ink aria-[current=true]:bg-surface aria-[current=true]:text-ink aria-[current=true]:ring-1 aria-[current=true]:ring-strong/60"
          >
            {WINDOW_WORDS[option]}
          </Link>
        ))}
      </nav>
      {stats.isPending && <Loading what="the statistics" />}
      {stats.error && <ProblemNote error={stats.error} retry={() => void stats.refetch()} />}
      {stats.data === null && <Note title="No statistics on this server">Charts need a newer version of the server. Every delivery is in the log all the same.</Note>}
      {stats.data && <Charts stats={stats.data} id={id} />}
      <About id={id} />
    </div>
  );
}

function Charts({ stats, id }: { stats: EndpointStats; id: string }) {
  if (stats.attempts === 0) {
    return (
      <div className="card">
        <Empty icon="send" title="Nothing was sent in this time" action={<ButtonLink to="/endpoints/$id/test" params={{ id }} look="primary" icon="send">Send test</ButtonLink>}>
          The charts fill with the first delivery.
        </Empty>
      </div>
    );
  }
  const outcomes = stats.series.map(({ at, outcomes: counts }) => ({ at, values: grouped(counts) }));
  const latency = stats.series.map(({ at, latencyMs }) => ({ at, values: { p50: null, p95: null, p99: null, ...latencyMs } }));
  return (
    <>
      <dl className="card grid grid-cols-2 gap-4 p-4 sm:grid-cols-4">
        <Stat label="Success rate" value={stats.successRate === null ? '–' : percent(stats.successRate)} />
        <Stat label="Attempts" value={count(stats.attempts)} note={`${count(stats.attempts - stats.outcomes.succeeded)} failed`} />
        <Stat label="Latency p95" value={stats.latencyMs ? milliseconds(stats.latencyMs.p95) : '–'} note={stats.latencyMs && `p50 ${milliseconds(stats.latencyMs.p50)}, p99 ${milliseconds(stats.latencyMs.p99)}`} />
        <Stat label="Last attempt" value={stats.lastAttemptAt ? <Ago at={stats.lastAttemptAt} /> : '–'} />
      </dl>
      <div className="grid gap-4 xl:grid-cols-2">
        <Card title="Attempts by outcome">
          <Chart label="Attempts by outcome" kind="bars" series={OUTCOME_SERIES} points={outcomes} />
        </Card>
        <Card title="Latency of the receiver">
          <Chart label="Latency of the receiver" kind="lines" series={LATENCY_SERIES} points={latency} format={milliseconds} />
        </Card>
      </div>
      <Failures stats={stats} />
    </>
  );
}

export function grouped(counts: EndpointStats['outcomes']): Record<string, number> {
  const network = counts.dns + counts.connect + counts.tls + counts.protocol;
  return { succeeded: counts.succeeded, 'http-error': counts['http-error'], timeout: counts.timeout, network, blocked: counts.blocked };
}

function Failures({ stats }: { stats: EndpointStats }) {
  const failures = (Object.entries(stats.outcomes) as [Outcome, number][])
    .filter(([outcome, value]) => outcome !== 'succeeded' && value > 0)
    .sort(([, one], [, other]) => other - one);
  if (failures.length === 0) return null;
  const all = failures.reduce((sum, [, value]) => sum + value, 0);
  return (
    <Card title="What went wrong">
      <ul className="grid gap-x-4 gap-y-2 max-sm:grid-cols-[1fr_auto] sm:grid-cols-[auto_1fr_auto]">
        {failures.map(([outcome, value]) => (
          <li key={outcome} className="col-span-full grid grid-cols-subgrid items-center gap-y-1">
            <span>
              <strong className="font-medium">{OUTCOMES[outcome].word}</strong> <span className="text-sm text-soft">{OUTCOMES[outcome].says}</span>
            </span>
            <span className="h-2 overflow-hidden rounded-full bg-sunk max-sm:col-span-2 max-sm:row-start-2" aria-hidden="true">
              <span className="block h-full rounded-full" style={{ width: `${(value / all) * 100}%`, background: colourOf(outcome) }} />
            </span>
            <span className="text-right">{plural(value, 'attempt')}</span>
          </li>
        ))}
      </ul>
    </Card>
  );
}

/** As in the chart above it. */
const colourOf = (outcome: Outcome) => (OUTCOME_SERIES.find(({ key }) => key === outcome) ?? NETWORK).colour;

function About({ id }: { id: string }) {
  const { data: endpoint } = useQuery(endpointQuery(id));
  if (!endpoint) return null;
  const owner = ownerOf(endpoint);
  const headers = Object.keys(endpoint.headers);
  return (
    <Card title="About this endpoint">
      <Facts
        rows={[
          ['Id', <code key="id">{endpoint.id}</code>],
          [OWNER_WORDS[owner.kind], <code key="owner">{owner.id}</code>],
          ['Events', endpoint.eventTypes.includes('*') ? 'All events, also future ones' : <TypeLinks key="types" types={endpoint.eventTypes} />],
          ['Retries', `${scheduleWords(endpoint.retrySchedule ?? DEFAULT_SCHEDULE)}${endpoint.retrySchedule ? '' : ', unless the operator set another schedule'}`],
          ['Headers', headers.length ? <code key="headers">{headers.join(', ')}</code> : 'None of its own'],
          ['Created', <Time key="created" at={endpoint.createdAt} dated />],
          ['Changed', <Time key="changed" at={endpoint.updatedAt} dated />],
        ]}
      />
    </Card>
  );
}

function TypeLinks({ types }: { types: string[] }) {
  return (
    <ul className="flex flex-wrap gap-1">
      {types.map((type) => (
        <li key={type}>
          <Link to="/catalogue/$type" params={{ type }} className="chip hover:text-ink">
            {type}
          </Link>
        </li>
      ))}
    </ul>
  );
}
