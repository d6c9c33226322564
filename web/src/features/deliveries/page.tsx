// One delivery: what happened, what was said, and what comes next.

import { useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, data, isFinal, type DeliveryDetail, type Endpoint } from '~/api/client';
import { useDeliveryLive } from '~/api/follow';
import { deliveryQuery, endpointQuery, eventQuery } from '~/api/queries';
import { useSigned } from '~/app/session';
import { Trail } from '~/app/layout';
import { StatusBadge } from '~/ui/badge';
import { Button, CopyButton } from '~/ui/button';
import { ConfirmButton } from '~/ui/dialog';
import { milliseconds, span } from '~/ui/format';
import { Live } from '~/ui/live';
import { Loading, Note, ProblemNote } from '~/ui/notes';
import { Card, Facts, Page } from '~/ui/page';
import { Countdown, Sentence, Time, useNow } from '~/ui/time';
import { say, sayFault } from '~/ui/toast';
import { DEFAULT_SCHEDULE } from '../endpoints/schedule';
import { AttemptView } from './attempt';
import { curlOf } from './curl';
import { END_WORDS, TRIGGER_WORDS } from './words';

const route = getRouteApi('/deliveries/$id');
/** While something is still to come and there is no stream. */
const REFRESH_MS = 2_000;
/** The stream tells of attempts; that one begins, or that somebody cancelled, it does not. */
const UNTOLD_REFRESH_MS = 10_000;

export function DeliveryPage() {
  const { id } = route.useParams();
  const delivery = useQuery(deliveryQuery(id)).data;
  const live = useDeliveryLive(delivery);
  const isOver = delivery !== undefined && isFinal(delivery);
  const query = useQuery({ ...deliveryQuery(id), refetchInterval: isOver ? false : live === 'live' ? UNTOLD_REFRESH_MS : REFRESH_MS });
  const endpoint = useQuery({ ...endpointQuery(delivery?.endpointId ?? ''), enabled: delivery !== undefined, retry: false });
  const event = useQuery({ ...eventQuery(delivery?.eventId ?? ''), enabled: delivery !== undefined && delivery.trigger !== 'test', retry: false });
  if (query.isPending) return <Loading what="the delivery" />;
  if (!delivery) {
    return (
      <Page title="Delivery" top={<Trail here="Delivery" up={[{ to: '/endpoints', label: 'Endpoints' }]} />}>
        <ProblemNote error={query.error} retry={() => void query.refetch()} />
      </Page>
    );
  }
  const url = endpoint.data?.url;
  const body = event.data?.payloadText ?? null;
  return (
    <Page
      title={delivery.type}
      top={<DeliveryTrail delivery={delivery} endpoint={endpoint.data} />}
      intro={
        <span className="flex flex-wrap items-center gap-2">
          <StatusBadge status={delivery.status} />
          <code className="[overflow-wrap:anywhere]">{delivery.id}</code>
          {!isOver && <Live state={live} />}
        </span>
      }
      actions={<Actions delivery={delivery} curl={url && delivery.attempts.length > 0 ? () => curlOf({ url, headers: delivery.attempts.at(-1)!.request.headers, body }) : null} />}
    >
      {query.error && <ProblemNote error={query.error} retry={() => void query.refetch()} />}
      <WhatNext delivery={delivery} endpoint={endpoint.data} />
      <Card>
        <Facts
          rows={[
            ['Receiver', url ? <Link key="url" to="/endpoints/$id" params={{ id: delivery.endpointId }} className="link">{url}</Link> : <code key="id">{delivery.endpointId}</code>],
            ['Event', delivery.trigger === 'test' ? <span key="event"><code>{delivery.eventId}</code> (a test, not among the events)</span> : <Link key="event" to="/events/$id" params={{ id: delivery.eventId }} className="link mono">{delivery.eventId}</Link>],
            ['Sent because of', delivery.retryOf ? <span key="retry">{TRIGGER_WORDS[delivery.trigger]}, of <Link to="/deliveries/$id" params={{ id: delivery.retryOf }} className="link mono">{delivery.retryOf}</Link></span> : TRIGGER_WORDS[delivery.trigger]],
            ['Created', <Time key="created" at={delivery.createdAt} dated />],
            delivery.completedAt !== null && ['Finished', <span key="done"><Time at={delivery.completedAt} dated />, after {lasted(delivery.createdAt, delivery.completedAt)}</span>],
          ]}
        />
      </Card>
      <h2 className="mt-2 text-lg font-semibold">{delivery.attempts.length === 1 ? 'The attempt' : 'Attempts'}</h2>
      {delivery.attempts.length === 0 && <p className="text-soft">None yet.</p>}
      <ol className="flex flex-col gap-3" aria-label="Attempts, latest first">
        {[...delivery.attempts].reverse().map((attempt, index) => (
          <li key={attempt.id}>
            <AttemptView attempt={attempt} requestBody={body} open={index === 0} isTest={delivery.trigger === 'test'} />
          </li>
        ))}
      </ol>
    </Page>
  );
}

function lasted(from: string, to: string): string {
  const ms = Date.parse(to) - Date.parse(from);
  return ms < 10_000 ? milliseconds(ms) : span(ms / 1_000);
}

function DeliveryTrail({ delivery, endpoint }: { delivery: DeliveryDetail; endpoint: Endpoint | undefined }) {
  const label = endpoint?.description || endpoint?.url || delivery.endpointId;
  return (
    <Trail
      here="Delivery"
      up={[
        { to: '/endpoints', label: 'Endpoints' },
        { to: `/endpoints/${delivery.endpointId}/deliveries`, label },
      ]}
    />
  );
}

function Actions({ delivery, curl }: { delivery: DeliveryDetail; curl: (() => string) | null }) {
  const { mayManage } = useSigned();
  return (
    <>
      {curl && <CopyButton text={curl} label="Copy as curl" small={false} />}
      {mayManage && !isFinal(delivery) && <Cancel delivery={delivery} />}
      {mayManage && <Resend delivery={delivery} />}
    </>
  );
}

function Resend({ delivery }: { delivery: DeliveryDetail }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [busy, setBusy] = useState(false);
  if (delivery.trigger === 'test') return null;
  const isNew = isFinal(delivery);
  const resend = async () => {
    setBusy(true);
    try {
      const next = await data(api.POST('/v1/deliveries/{id}/retry', { params: { path: { id: delivery.id } } }));
      await client.invalidateQueries({ queryKey: ['/v1/deliveries'] });
      await client.invalidateQueries({ queryKey: ['delivery', delivery.id] });
      say(isNew ? 'Sent again: this is the new delivery.' : 'The next attempt comes now.');
      if (isNew) await navigate({ to: '/deliveries/$id', params: { id: next.id } });
    } catch (fault) {
      sayFault(fault);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Button look="primary" icon="retry" busy={busy} onClick={resend}>
      {isNew ? 'Resend' : 'Try now'}
    </Button>
  );
}

function Cancel({ delivery }: { delivery: DeliveryDetail }) {
  const client = useQueryClient();
  const act = async () => {
    await api.POST('/v1/deliveries/{id}/cancel', { params: { path: { id: delivery.id } } });
    await client.invalidateQueries({ queryKey: ['delivery', delivery.id] });
    await client.invalidateQueries({ queryKey: ['/v1/deliveries'] });
    say('Cancelled: no attempt follows.');
  };
  return (
    <ConfirmButton label="Cancel delivery" title="Cancel this delivery?" confirm="Cancel delivery" act={act}>
      No attempt follows. You can resend it later, as a new delivery.
    </ConfirmButton>
  );
}

/** What will happen, and when; of a finished one, how it ended and what can be done. */
function WhatNext({ delivery, endpoint }: { delivery: DeliveryDetail; endpoint: Endpoint | undefined }) {
  const now = useNow();
  const last = delivery.attempts.at(-1);
  switch (delivery.status) {
    case 'succeeded':
      return null;
    case 'cancelled':
    case 'failed':
      return (
        <Note tone={delivery.status === 'failed' ? 'bad' : 'info'} title={delivery.status === 'failed' ? 'It failed for good' : 'It was cancelled'}>
          {delivery.trigger === 'test' ? 'A test is sent once and never retried.' : delivery.endReason && END_WORDS[delivery.endReason].sentence}
        </Note>
      );
    case 'waiting':
      return <Note tone="warn" title="It waits without using an attempt"><Sentence text={endpoint ? endpoint.health.message : 'It goes on when its endpoint receives again.'} /></Note>;
    case 'pending':
    case 'delivering':
      return <Note title={delivery.status === 'pending' ? 'The first attempt comes in a moment' : 'An attempt is running'}>The receiver has 10 seconds to answer.</Note>;
    case 'retrying': {
      const total = (endpoint?.retrySchedule ?? DEFAULT_SCHEDULE).length + 1;
      const left = Math.max(total - delivery.attemptCount, 0);
      const isDue = delivery.nextAttemptAt === null || Date.parse(delivery.nextAttemptAt) <= now;
      return (
        <Note
          tone="warn"
          title={
            isDue || !delivery.nextAttemptAt ? (
              `Attempt ${delivery.attemptCount + 1} comes in a moment`
            ) : (
              <>
                Attempt {delivery.attemptCount + 1} comes in <Countdown until={delivery.nextAttemptAt} over="a moment" />, at <Time at={delivery.nextAttemptAt} />
              </>
            )
          }
        >
          {last?.error && `The latest attempt failed: ${last.error}. `}
          {endpoint?.retrySchedule ? `${left} of ${total} attempts are left.` : `${left} of ${total} attempts are left, by the server's usual schedule.`}
        </Note>
      );
    }
  }
}
