// One event: its payload, and what became of it at every endpoint that was considered.

import { useQueries, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import type { Schemas } from '~/api/client';
import { endpointQuery, eventQuery } from '~/api/queries';
import { Trail } from '~/app/layout';
import { ownerOf, OWNER_WORDS } from '~/app/session';
import { Badge, StatusBadge } from '~/ui/badge';
import { CopyButton } from '~/ui/button';
import { Body } from '~/ui/code';
import { count } from '~/ui/format';
import { Empty, Loading, ProblemNote } from '~/ui/notes';
import { Card, Facts, Page } from '~/ui/page';
import { Time } from '~/ui/time';

const route = getRouteApi('/events/$id');
type Became = Schemas['Became'];

const REASONS: Record<NonNullable<Became['reason']>, [word: string, sentence: string]> = {
  disabled: ['Disabled', 'the endpoint was disabled when it was published'],
  filtered: ['Filtered', "the endpoint's filter left it out"],
  'missing-scope': ['Missing scope', 'the app lacks the OAuth scope that this type needs'],
  'own-event': ['Own event', 'the app caused it itself and asked to be left out'],
};

const OPEN = new Set<Became['status']>(['pending', 'delivering', 'retrying', 'waiting']);

export function EventPage() {
  const { id } = route.useParams();
  const query = useQuery({ ...eventQuery(id), refetchInterval: ({ state }) => (state.data?.endpoints.some(({ status }) => OPEN.has(status)) ? 3_000 : false) });
  const event = query.data;
  if (query.isPending) return <Loading what="the event" />;
  const top = <Trail here={event?.type ?? 'Event'} up={[{ to: '/events', label: 'Events' }]} />;
  if (!event) {
    return (
      <Page title="Event" top={top}>
        <ProblemNote error={query.error} retry={() => void query.refetch()} />
      </Page>
    );
  }
  const owner = ownerOf(event);
  return (
    <Page title={event.type} top={top} intro={<code className="[overflow-wrap:anywhere]">{event.id}</code>} actions={<CopyButton text={event.id} label="Copy id" small={false} />}>
      {query.error && <ProblemNote error={query.error} retry={() => void query.refetch()} />}
      <Card>
        <Facts
          rows={[
            ['Published', <Time key="at" at={event.createdAt} dated />],
            [OWNER_WORDS[owner.kind], <code key="owner">{owner.id ?? '–'}</code>],
            ['Type', <Link key="type" to="/catalogue/$type" params={{ type: event.type }} className="link">{event.type}</Link>],
            ['Deliveries', count(event.deliveries)],
          ]}
        />
      </Card>
      <Card title="What became of it" padded={false}>
        {event.endpoints.length === 0 ? (
          <Empty icon="endpoint" title="No endpoint was considered">
            When it was published, no endpoint subscribed to {event.type} whose owner fitted. Later endpoints do not get it.
          </Empty>
        ) : (
          <BecameList rows={event.endpoints} />
        )}
      </Card>
      <Card>
        <Body text={event.payloadText} label="Payload" />
      </Card>
    </Page>
  );
}

const ENDPOINTS_NAMED_MAX = 50;

function BecameList({ rows }: { rows: Became[] }) {
  const names = useQueries({
    queries: rows.slice(0, ENDPOINTS_NAMED_MAX).map(({ endpointId }) => ({ ...endpointQuery(endpointId), staleTime: 60_000, retry: false })),
    combine: (answers) => new Map(answers.map(({ data }) => [data?.id, data?.url] as const)),
  });
  return (
    <ul>
      {rows.map((row) => (
        <li key={row.endpointId} className="flex flex-wrap items-center gap-x-3 gap-y-1 border-b border-line px-4 py-2.5 last:border-0">
          <span className="w-32">
            {row.status ? <StatusBadge status={row.status} /> : <Badge tone="idle" icon="block">{row.reason ? REASONS[row.reason][0] : 'Not sent'}</Badge>}
          </span>
          <span className="min-w-0 flex-1 basis-60">
            <Link to="/endpoints/$id" params={{ id: row.endpointId }} className="font-medium [overflow-wrap:anywhere] hover:underline">
              {names.get(row.endpointId) ?? row.endpointId}
            </Link>
            {row.reason && <span className="block text-sm text-soft">Not sent: {REASONS[row.reason][1]}.</span>}
          </span>
          {row.deliveryId && (
            <Link to="/deliveries/$id" params={{ id: row.deliveryId }} className="link">
              See the delivery
            </Link>
          )}
        </li>
      ))}
    </ul>
  );
}
