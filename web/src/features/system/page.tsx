// The operator's view: how much comes in, goes out and waits, and whose receivers are worst.

import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useMemo } from 'react';
import type { SystemState } from '~/api/live';
import { systemQuery } from '~/api/queries';
import { Trail } from '~/app/layout';
import { ownerOf } from '~/app/session';
import { HealthBadge } from '~/ui/badge';
import { Chart, Stat, type Series } from '~/ui/charts';
import { bytes, count } from '~/ui/format';
import { Empty, Loading, Note, ProblemNote } from '~/ui/notes';
import { Card, Facts, Page } from '~/ui/page';
import { Ago, Sentence, Time } from '~/ui/time';

const SERIES: Series[] = [
  { key: 'accepted', label: 'Accepted', colour: 'var(--info-mark)' },
  { key: 'delivered', label: 'Delivered', colour: 'var(--ok-mark)', dash: '6 4' },
  { key: 'failed', label: 'Failed attempts', colour: 'var(--bad-mark)', dash: '1.5 4' },
];

export function SystemPage() {
  const { data, error, isPending, refetch } = useQuery(systemQuery);
  return (
    <Page title="System" top={<Trail here="System" />} intro="This server, now: all its nodes together.">
      {isPending && <Loading what="the system's state" />}
      {error && <ProblemNote error={error} retry={() => void refetch()} />}
      {data === null && (
        <Note title="This server has no system page yet">
          A newer version shows rates, what waits and the worst endpoints here. Until then <code>/metrics</code> has the numbers.
        </Note>
      )}
      {data && <State state={data} />}
    </Page>
  );
}

/** Counts of each bucket as a rate, so that they are read like the numbers above. */
function pointsOf({ series, bucketSeconds }: SystemState) {
  const perSecond = (value: number) => value / Math.max(bucketSeconds, 1);
  return series.map(({ at, accepted, delivered, failed }) => ({
    at,
    values: { accepted: perSecond(accepted), delivered: perSecond(delivered), failed: perSecond(failed) },
  }));
}

const rate = (perSecond: number) => `${perSecond < 10 ? Number(perSecond.toFixed(1)) : count(Math.round(perSecond))}/s`;

const STORES: Record<string, string> = { sqlite: 'SQLite', postgres: 'PostgreSQL' };

function State({ state }: { state: SystemState }) {
  const points = useMemo(() => pointsOf(state), [state]);
  return (
    <>
      <dl className="card grid grid-cols-2 gap-4 p-4 sm:grid-cols-3 lg:grid-cols-6">
        <Stat label="Accepted" value={rate(state.acceptedPerSecond)} />
        <Stat label="Delivered" value={rate(state.deliveredPerSecond)} />
        <Stat label="Failed" value={rate(state.failedPerSecond)} />
        <Stat label="In flight" value={count(state.inFlight)} note="attempts running" />
        <Stat label="Waiting" value={count(state.waiting)} note="deliveries not finished" />
        <Stat label="Oldest waiting" value={state.oldestWaitingAt ? <Ago at={state.oldestWaitingAt} /> : 'none'} />
      </dl>
      <Card title="Traffic">
        <Chart label="Traffic" kind="lines" series={SERIES} points={points} format={rate} height={180} />
      </Card>
      <Card title="Worst endpoints" padded={false}>
        <Worst rows={state.worstEndpoints} />
      </Card>
      <div className="grid gap-4 lg:grid-cols-2">
        <Card title="Store">
          <Facts rows={[['Kind', STORES[state.store.kind] ?? state.store.kind], ['Size', bytes(state.store.sizeBytes)], ['Events are kept', `${state.store.retentionDays} days`]]} />
        </Card>
        <Card title="Nodes" padded={false}>
          <Nodes state={state} />
        </Card>
      </div>
    </>
  );
}

function Nodes({ state }: { state: SystemState }) {
  return (
    <ul>
      {state.nodes.map((node) => (
        <li key={node.id} className="flex flex-wrap items-baseline gap-x-3 gap-y-1 border-b border-line px-4 py-2.5 last:border-0">
          <span className="min-w-0 flex-1 basis-60">
            <span className="font-medium [overflow-wrap:anywhere]">{node.name}</span>
            {node.id === state.answeredBy && state.nodes.length > 1 && <span className="text-soft"> (this one)</span>}
            <span className="block text-sm text-soft">
              {node.version}, since <Time at={node.startedAt} dated />, heard of <Ago at={node.renewedAt} />
            </span>
          </span>
          <span className="text-right text-sm text-soft">
            {rate(node.acceptedPerSecond)} accepted, {rate(node.deliveredPerSecond)} delivered, {count(node.inFlight)} in flight
          </span>
        </li>
      ))}
    </ul>
  );
}

function Worst({ rows }: { rows: SystemState['worstEndpoints'] }) {
  if (rows.length === 0) return <Empty icon="check" title="Every endpoint keeps up">Nothing waits for a receiver that fails.</Empty>;
  return (
    <ul>
      {rows.map((row) => {
        const owner = ownerOf(row);
        return (
          <li key={row.endpointId} className="flex flex-wrap items-center gap-x-3 gap-y-1 border-b border-line px-4 py-2.5 last:border-0">
            <span className="w-28">
              <HealthBadge health={row.health} />
            </span>
            <span className="min-w-0 flex-1 basis-60">
              <Link to="/endpoints/$id" params={{ id: row.endpointId }} className="font-medium [overflow-wrap:anywhere] hover:underline">
                {row.url}
              </Link>
              <span className="block text-sm text-soft">
                {owner.kind} <code className="text-xs">{owner.id}</code> · <Sentence text={row.health.message} />
              </span>
            </span>
            <span className="text-right text-soft">
              {count(row.waiting)} waiting{row.oldestWaitingAt && <>, oldest <Ago at={row.oldestWaitingAt} /></>}
            </span>
          </li>
        );
      })}
    </ul>
  );
}
