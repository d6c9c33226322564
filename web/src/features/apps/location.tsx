// One location: its name, and the company that decides which endpoints its events reach.

import { useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useState, type FormEvent } from 'react';
import { api, data, type Schemas } from '~/api/client';
import { isProblem } from '~/api/problem';
import { Trail } from '~/app/layout';
import { useSigned } from '~/app/session';
import { Button, ButtonLink } from '~/ui/button';
import { Stranger } from '~/ui/code';
import { DialogActions, RemoveCard } from '~/ui/dialog';
import { Field } from '~/ui/field';
import { Loading, Note, ProblemNote } from '~/ui/notes';
import { Card, Facts, Page } from '~/ui/page';
import { useSaving } from '~/ui/saving';
import { say } from '~/ui/toast';

const route = getRouteApi('/locations/$id');
type Location = Schemas['Location'];

export function LocationPage() {
  const { id } = route.useParams();
  const { mayManage } = useSigned();
  const query = useQuery({ queryKey: ['location', id], queryFn: () => data(api.GET('/v1/locations/{id}', { params: { path: { id } } })) });
  const isNew = isProblem(query.error) && query.error.status === 404;
  if (query.isPending) return <Loading what="the location" />;
  if (query.error && !isNew) return <ProblemNote error={query.error} retry={() => void query.refetch()} />;
  return (
    <Page
      title={query.data?.name ?? id}
      top={<Trail here={id} up={[{ to: '/locations', label: 'Locations' }]} />}
      intro={query.data?.name && <code>{id}</code>}
      actions={
        <>
          <ButtonLink to="/endpoints" search={{ owner: `location:${id}` }} icon="endpoint">
            Its endpoints
          </ButtonLink>
          <ButtonLink to="/events" search={{ locationId: id }} icon="events">
            Its events
          </ButtonLink>
        </>
      }
    >
      {isNew && <Note title="This location is not registered">Its events are delivered all the same. Register it to let a company&rsquo;s endpoints have them too.</Note>}
      <Card title={isNew ? 'Register' : 'Location'}>
        {mayManage ? (
          <LocationForm key={query.data ? 'known' : 'new'} id={id} known={query.data} />
        ) : (
          <Facts rows={[['Name', query.data?.name ? <Stranger key="name" text={query.data.name} /> : 'None'], ['Company', query.data?.companyId ?? 'None']]} />
        )}
      </Card>
      {mayManage && query.data && <Remove id={id} />}
    </Page>
  );
}

function LocationForm({ id, known }: { id: string; known: Location | undefined }) {
  const client = useQueryClient();
  const [name, setName] = useState(known?.name ?? '');
  const [companyId, setCompanyId] = useState(known?.companyId ?? '');
  const { busy, problem, save } = useSaving();
  const put = async () => {
    const body = { name: name.trim() || null, companyId: companyId.trim() || null };
    client.setQueryData(['location', id], await data(api.PUT('/v1/locations/{id}', { params: { path: { id } }, body })));
    await client.invalidateQueries({ queryKey: ['/v1/audit'] });
    say('Saved.');
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void save(put);
  };
  return (
    <form onSubmit={submit} noValidate className="flex flex-col gap-4">
      <Field label="Name" optional faults={problem?.at('/name') ?? []}>
        {(tied) => <input {...tied} className="input" maxLength={256} value={name} onChange={(event) => setName(event.target.value)} />}
      </Field>
      <Field label="Company" optional faults={problem?.at('/companyId') ?? []} hint="This, never a payload, decides which company's endpoints get the location's events.">
        {(tied) => <input {...tied} className="input mono" spellCheck={false} value={companyId} onChange={(event) => setCompanyId(event.target.value)} />}
      </Field>
      <ProblemNote error={problem} hide={['/name', '/companyId']} />
      <DialogActions>
        <Button type="submit" look="primary" busy={busy}>
          {known ? 'Save' : 'Register'}
        </Button>
      </DialogActions>
    </form>
  );
}

function Remove({ id }: { id: string }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const act = async () => {
    await api.DELETE('/v1/locations/{id}', { params: { path: { id } } });
    client.removeQueries({ queryKey: ['location', id] });
    await navigate({ to: '/locations' });
    say('The location was removed.');
  };
  return (
    <RemoveCard verb="Remove" noun="location" does="Forgets its name and its company. Its endpoints and its log stay." act={act}>
      Its name and its company are forgotten, and the company&rsquo;s endpoints no longer get its events.
    </RemoveCard>
  );
}
