// Change or delete the endpoint. Who may only view reads the same facts on the overview.

import { useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { api, data, type Endpoint } from '~/api/client';
import { endpointQuery } from '~/api/queries';
import { ownerOf, useSigned } from '~/app/session';
import { RemoveCard } from '~/ui/dialog';
import { Note } from '~/ui/notes';
import { Card } from '~/ui/page';
import { say } from '~/ui/toast';
import { EndpointForm, type Draft } from '../endpoints/form';
import { headersOf } from '../endpoints/headers-field';

const route = getRouteApi('/endpoints/$id/settings');

export function Settings() {
  const { id } = route.useParams();
  const { mayManage } = useSigned();
  const { data: endpoint } = useQuery(endpointQuery(id));
  if (!endpoint) return null;
  if (!mayManage) return <Note title="Your session may only view">To change this endpoint, sign in with a link that may manage. Its settings are under Overview.</Note>;
  return (
    <div className="flex flex-col gap-4">
      <Card title="Settings">
        <Edit key={endpoint.id} endpoint={endpoint} />
      </Card>
      <Delete endpoint={endpoint} />
    </div>
  );
}

function Edit({ endpoint }: { endpoint: Endpoint }) {
  const client = useQueryClient();
  const start: Draft = {
    url: endpoint.url,
    description: endpoint.description,
    eventTypes: endpoint.eventTypes,
    headers: Object.entries(endpoint.headers),
    retrySchedule: endpoint.retrySchedule ?? null,
    skipOwnEvents: endpoint.skipOwnEvents,
  };
  const save = async (draft: Draft) => {
    const body = { ...draft, url: draft.url.trim(), headers: headersOf(draft.headers) };
    const changed = await data(api.PATCH('/v1/endpoints/{id}', { params: { path: { id: endpoint.id } }, body }));
    client.setQueryData(['endpoint', endpoint.id], changed);
    await client.invalidateQueries({ queryKey: ['/v1/endpoints'] });
    say('Saved.');
  };
  return <EndpointForm start={start} ownerKind={ownerOf(endpoint).kind} save={save} submitLabel="Save" />;
}

function Delete({ endpoint }: { endpoint: Endpoint }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const act = async () => {
    await api.DELETE('/v1/endpoints/{id}', { params: { path: { id: endpoint.id } } });
    await client.invalidateQueries({ queryKey: ['/v1/endpoints'] });
    await navigate({ to: '/endpoints' });
    client.removeQueries({ queryKey: ['endpoint', endpoint.id] });
    say('The endpoint was deleted. Its log stays.');
  };
  return (
    <RemoveCard
      verb="Delete"
      noun="endpoint"
      does="Unfinished deliveries are cancelled; the log stays until its retention ends. This cannot be undone: to stop for a while, disable it."
      act={act}
    >
      <p className="[overflow-wrap:anywhere]">{endpoint.url}</p>
      <p>Unfinished deliveries are cancelled, and its secret is gone for good.</p>
    </RemoveCard>
  );
}
