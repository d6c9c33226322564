// One endpoint: its head, its tabs.

import { useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, Link, Outlet } from '@tanstack/react-router';
import { api, data, type Endpoint } from '~/api/client';
import { endpointQuery } from '~/api/queries';
import { useSigned } from '~/app/session';
import { Trail } from '~/app/layout';
import { HealthBadge } from '~/ui/badge';
import { ButtonLink, CopyButton } from '~/ui/button';
import { ConfirmButton } from '~/ui/dialog';
import { Loading, Note, ProblemNote } from '~/ui/notes';
import { Page } from '~/ui/page';
import { For, Sentence } from '~/ui/time';
import { say } from '~/ui/toast';

const route = getRouteApi('/endpoints/$id');

export function EndpointPage() {
  const { id } = route.useParams();
  const { data: endpoint, error, isPending, refetch } = useQuery({ ...endpointQuery(id), refetchInterval: 10_000 });
  const top = <Trail here={endpoint?.description || hostOf(endpoint?.url) || 'Endpoint'} up={[{ to: '/endpoints', label: 'Endpoints' }]} />;
  if (isPending) return <Loading what="the endpoint" />;
  if (!endpoint) {
    return (
      <Page title="Endpoint" top={top}>
        <ProblemNote error={error} retry={() => void refetch()} />
      </Page>
    );
  }
  return (
    <Page
      title={endpoint.url}
      top={top}
      intro={endpoint.description && <bdi>{endpoint.description}</bdi>}
      actions={<Actions endpoint={endpoint} />}
    >
      {error && <ProblemNote error={error} retry={() => void refetch()} />}
      <HealthLine endpoint={endpoint} />
      <Tabs id={id} />
      <Outlet />
    </Page>
  );
}

const hostOf = (url: string | undefined) => (url && URL.canParse(url) ? new URL(url).host : '');

function Actions({ endpoint }: { endpoint: Endpoint }) {
  const { mayManage } = useSigned();
  return (
    <>
      <CopyButton text={endpoint.id} label="Copy id" small={false} />
      {mayManage && <Switch endpoint={endpoint} />}
      {mayManage && (
        <ButtonLink look="primary" icon="send" to="/endpoints/$id/test" params={{ id: endpoint.id }}>
          Send test
        </ButtonLink>
      )}
    </>
  );
}

function Switch({ endpoint }: { endpoint: Endpoint }) {
  const client = useQueryClient();
  const params = { params: { path: { id: endpoint.id } } };
  const isOff = !endpoint.enabled || endpoint.health.state === 'disabled';
  const act = async () => {
    const changed = await data(isOff ? api.POST('/v1/endpoints/{id}/enable', params) : api.POST('/v1/endpoints/{id}/disable', params));
    client.setQueryData(['endpoint', endpoint.id], changed);
    await client.invalidateQueries({ queryKey: ['/v1/endpoints'] });
    say(isOff ? 'Enabled: events are sent again.' : 'Disabled: nothing is sent until you enable it.');
  };
  return isOff ? (
    <ConfirmButton label="Enable" title="Enable this endpoint?" confirm="Enable" act={act} look="plain">
      Events are sent again, and deliveries that waited follow, slowly at first. Events that came while it was disabled are not sent later.
    </ConfirmButton>
  ) : (
    <ConfirmButton label="Disable" title="Disable this endpoint?" confirm="Disable" act={act} look="plain">
      New events are not sent here and not kept for it; unfinished deliveries wait until it is enabled again.
    </ConfirmButton>
  );
}

const HEALTH_WORDS = { failing: 'Failing', recovering: 'Recovering', disabled: 'Disabled' } as const;
const TONES = { healthy: 'ok', failing: 'bad', recovering: 'warn', disabled: 'warn' } as const;

function HealthLine({ endpoint: { health } }: { endpoint: Endpoint }) {
  if (health.state === 'healthy') {
    return (
      <p className="flex flex-wrap items-center gap-2 text-soft">
        <HealthBadge health={health} /> {health.message}
      </p>
    );
  }
  return (
    <Note
      tone={TONES[health.state]}
      title={
        <>
          {HEALTH_WORDS[health.state]} <span className="font-normal text-soft">for <For since={health.since} /></span>
        </>
      }
    >
      <Sentence text={health.message} />
    </Note>
  );
}

const TABS = [
  ['/endpoints/$id', 'Overview', false],
  ['/endpoints/$id/deliveries', 'Deliveries', false],
  ['/endpoints/$id/test', 'Test', true],
  ['/endpoints/$id/signing', 'Signing', true],
  ['/endpoints/$id/settings', 'Settings', false],
] as const;

/** On a phone the tab that one came to may be out of sight. */
const showActive = (element: HTMLElement | null) => {
  const active = element?.querySelector<HTMLElement>('.active');
  if (element && active) element.scrollLeft = active.offsetLeft - element.clientWidth / 2;
};

function Tabs({ id }: { id: string }) {
  const { mayManage } = useSigned();
  return (
    <nav aria-label="Endpoint" ref={showActive} className="-mx-4 flex gap-1 overflow-x-auto border-b border-line px-4 lg:mx-0 lg:px-0">
      {TABS.filter(([, , manage]) => mayManage || !manage).map(([to, label]) => (
        <Link
          key={to}
          to={to}
          params={{ id }}
          activeOptions={{ exact: to === '/endpoints/$id', includeSearch: false }}
          className="-mb-px flex h-10 items-center border-b-2 border-transparent px-3 font-medium whitespace-nowrap text-soft hover:text-ink [&.active]:border-accent [&.active]:text-ink"
        >
          {label}
        </Link>
      ))}
    </nav>
  );
}
