// One app: its name and scopes, and where it is installed.

import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useMemo, useState, type FormEvent } from 'react';
import { api, data, type AuditEntry, type Schemas } from '~/api/client';
import { isProblem } from '~/api/problem';
import { eventTypesQuery, listQuery, rowsOf, type Filters } from '~/api/queries';
import { Trail } from '~/app/layout';
import { useSigned } from '~/app/session';
import { Button, ButtonLink } from '~/ui/button';
import { Stranger } from '~/ui/code';
import { ConfirmButton, DialogActions, RemoveCard } from '~/ui/dialog';
import { Disclosure } from '~/ui/disclosure';
import { Check, Faults, Field } from '~/ui/field';
import { Loading, Note, ProblemNote } from '~/ui/notes';
import { Card, Facts, Page } from '~/ui/page';
import { useSaving } from '~/ui/saving';
import { Time } from '~/ui/time';
import { say } from '~/ui/toast';

const route = getRouteApi('/apps/$id');
type App = Schemas['App'];

export function AppPage() {
  const { id } = route.useParams();
  const { mayManage } = useSigned();
  const query = useQuery({ queryKey: ['app', id], queryFn: () => data(api.GET('/v1/apps/{id}', { params: { path: { id } } })) });
  const isNew = isProblem(query.error) && query.error.status === 404;
  if (query.isPending) return <Loading what="the app" />;
  if (query.error && !isNew) return <ProblemNote error={query.error} retry={() => void query.refetch()} />;
  return (
    <Page
      title={query.data?.name ?? id}
      top={<Trail here={id} up={[{ to: '/apps', label: 'Apps & installs' }]} />}
      intro={query.data?.name && <code>{id}</code>}
      actions={
        <ButtonLink to="/endpoints" search={{ owner: `app:${id}` }} icon="endpoint">
          Its endpoints
        </ButtonLink>
      }
    >
      {isNew && <Note title="This app is not registered">Events can be published to it all the same. Register it to give it a name and scopes, or to install it.</Note>}
      {mayManage ? (
        <Card title={isNew ? 'Register' : 'App'}>
          <AppForm key={query.data ? 'known' : 'new'} id={id} app={query.data} />
        </Card>
      ) : (
        query.data && (
          <Card title="App">
            <Facts rows={[['Name', query.data.name ? <Stranger key="name" text={query.data.name} /> : 'None'], ['Scopes', scopeWords(query.data)]]} />
          </Card>
        )
      )}
      {mayManage && <Installs id={id} />}
      {mayManage && query.data && <Remove id={id} />}
    </Page>
  );
}

const scopeWords = ({ scopes }: App) => (scopes === null || scopes === undefined ? 'All' : scopes.length ? scopes.join(', ') : 'None');

function AppForm({ id, app }: { id: string; app: App | undefined }) {
  const client = useQueryClient();
  const types = useQuery(eventTypesQuery);
  const known = useMemo(() => [...new Set((types.data ?? []).map(({ oauthScope }) => oauthScope).filter((scope) => scope !== null))].sort(), [types.data]);
  const [name, setName] = useState(app?.name ?? '');
  const [holdsAll, setHoldsAll] = useState(!app?.scopes);
  const [scopes, setScopes] = useState((app?.scopes ?? []).join('\n'));
  const { busy, problem, save } = useSaving();
  const put = async () => {
    const body = { name: name.trim() || null, scopes: holdsAll ? null : scopes.split(/[\s,]+/).filter(Boolean) };
    client.setQueryData(['app', id], await data(api.PUT('/v1/apps/{id}', { params: { path: { id } }, body })));
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
      <Check label="Holds every OAuth scope" hint="Otherwise it gets only the event types whose scope is listed." checked={holdsAll} onChange={(event) => setHoldsAll(event.target.checked)} />
      {!holdsAll && (
        <Field label="Scopes" faults={problem?.at('/scopes', { below: true }) ?? []} hint={<KnownScopes scopes={known} />}>
          {(tied) => <textarea {...tied} className="input mono min-h-28" spellCheck={false} value={scopes} onChange={(event) => setScopes(event.target.value)} />}
        </Field>
      )}
      <ProblemNote error={problem} hide={['/name', '/scopes']} />
      <DialogActions>
        <Button type="submit" look="primary" busy={busy}>
          {app ? 'Save' : 'Register'}
        </Button>
      </DialogActions>
    </form>
  );
}

function KnownScopes({ scopes }: { scopes: string[] }) {
  return (
    <>
      One per line.
      <Disclosure head={`The ${scopes.length} that event types need`}>
        <code className="block text-xs [overflow-wrap:anywhere]">{scopes.join(', ')}</code>
      </Disclosure>
    </>
  );
}

function Installs({ id }: { id: string }) {
  return (
    <Card title="Installs">
      <div className="flex flex-col gap-4">
        <InstallForm id={id} />
        <InstallLog id={id} />
      </div>
    </Card>
  );
}

function InstallForm({ id }: { id: string }) {
  const client = useQueryClient();
  const [kind, setKind] = useState<'location' | 'company'>('location');
  const [place, setPlace] = useState('');
  const { busy, problem, save } = useSaving();
  const change = async (install: boolean) => {
    if (kind === 'location') {
      const params = { params: { path: { id, locationId: place } } };
      await (install ? api.PUT('/v1/apps/{id}/installs/{locationId}', params) : api.DELETE('/v1/apps/{id}/installs/{locationId}', params));
    } else {
      const params = { params: { path: { id, companyId: place } } };
      await (install ? api.PUT('/v1/apps/{id}/company-installs/{companyId}', params) : api.DELETE('/v1/apps/{id}/company-installs/{companyId}', params));
    }
    await client.invalidateQueries({ queryKey: ['/v1/audit'] });
    say(install ? 'Installed: AppInstall was published.' : 'Uninstalled: AppUninstall was published.');
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void save(() => change(true));
  };
  return (
    <>
      <form onSubmit={submit} noValidate className="flex flex-wrap items-center gap-2">
        <select aria-label="Install in" className="input sm:w-auto" value={kind} onChange={(event) => setKind(event.target.value as 'location' | 'company')}>
          <option value="location">location</option>
          <option value="company">company</option>
        </select>
        <input aria-label={`Id of the ${kind}`} className="input mono flex-1 basis-52" placeholder={`Id of the ${kind}`} spellCheck={false} value={place} onChange={(event) => setPlace(event.target.value.trim())} />
        <Button type="submit" busy={busy} disabled={place === ''}>
          Install
        </Button>
        {place !== '' && (
          <ConfirmButton label="Uninstall" title={`Uninstall from ${place}?`} confirm="Uninstall" act={() => change(false)}>
            Its endpoints get no further events of this {kind}, and AppUninstall is published.
          </ConfirmButton>
        )}
      </form>
      {problem && problem.faults.length > 0 && <Faults faults={problem.faults.map(({ detail }) => detail)} />}
      <ProblemNote error={problem} />
    </>
  );
}

/** Where it was installed and uninstalled, newest first. */
function InstallLog({ id }: { id: string }) {
  const list = useInfiniteQuery(listQuery('/v1/audit', { objectId: id } as Filters<'/v1/audit'>));
  const rows = (rowsOf(list.data) as AuditEntry[]).filter(({ action }) => action === 'app.installed' || action === 'app.uninstalled');
  return (
    <div>
      <h3 className="label">From the audit log</h3>
      {rows.length === 0 ? (
        <p className="hint">No install is in the audit log.</p>
      ) : (
        <ul className="mt-1 divide-y divide-line">
          {rows.map((entry) => (
            <li key={entry.id} className="flex flex-wrap items-center justify-between gap-2 py-1.5">
              <span>
                {entry.action === 'app.installed' ? 'Installed in' : 'Uninstalled from'} {entry.locationId ? 'location' : 'company'} <code className="text-xs">{entry.locationId ?? entry.companyId}</code>
              </span>
              <span className="text-sm text-soft">
                <Time at={entry.at} />
              </span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function Remove({ id }: { id: string }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const act = async () => {
    await api.DELETE('/v1/apps/{id}', { params: { path: { id } } });
    client.removeQueries({ queryKey: ['app', id] });
    await navigate({ to: '/apps' });
    say('The app was removed.');
  };
  return (
    <RemoveCard verb="Remove" noun="app" does="Forgets its name, its scopes and its installs." act={act}>
      Its name, scopes and installs are forgotten. Its endpoints stay.
    </RemoveCard>
  );
}
