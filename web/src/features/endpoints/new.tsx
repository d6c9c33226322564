// Add an endpoint, and see its secret once.

import { useQueryClient } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, data, type Schemas } from '~/api/client';
import type { Problem } from '~/api/problem';
import { Trail } from '~/app/layout';
import { useSigned, type OwnerKind } from '~/app/session';
import { ButtonLink, CopyButton } from '~/ui/button';
import { Field } from '~/ui/field';
import { Note } from '~/ui/notes';
import { Card, Page } from '~/ui/page';
import { EMPTY_DRAFT, EndpointForm, type Draft } from './form';
import { headersOf } from './headers-field';

const route = getRouteApi('/endpoints/new');
type Created = Schemas['EndpointCreated'];
type TenantKind = Exclude<OwnerKind, 'platform'>;

export function NewEndpointPage() {
  const { owner, mayManage } = useSigned();
  const search = route.useSearch();
  const client = useQueryClient();
  const [created, setCreated] = useState<Created | null>(null);
  const given = (['locationId', 'companyId', 'appId'] as const).find((name) => search[name]);
  const [kind, setKind] = useState<TenantKind>(owner.kind === 'platform' ? ((given?.slice(0, -2) as TenantKind) ?? 'location') : owner.kind);
  const [id, setId] = useState(owner.id ?? (given ? (search[given] ?? '') : ''));
  if (!mayManage) return <NotAllowed />;
  if (created) return <Welcome endpoint={created} />;
  const save = async (draft: Draft) => {
    const body = { ...draft, url: draft.url.trim(), headers: headersOf(draft.headers), [`${kind}Id`]: id.trim() };
    const endpoint = await data(api.POST('/v1/endpoints', { body }));
    await client.invalidateQueries({ queryKey: ['/v1/endpoints'] });
    client.setQueryData(['endpoint', endpoint.id], { ...endpoint, secret: undefined });
    setCreated(endpoint);
    window.scrollTo(0, 0);
  };
  const ownerField = (problem: Problem | null) => (
    <OwnerField kind={kind} id={id} onKind={setKind} onId={setId} faults={problem?.at(`/${kind}Id`) ?? []} />
  );
  return (
    <Page title="Add endpoint" top={<Trail here="Add endpoint" up={[{ to: '/endpoints', label: 'Endpoints' }]} />} intro="Your server's address, and the events that it wants.">
      <Card>
        <EndpointForm
          start={{ ...EMPTY_DRAFT, eventTypes: search.type ? [search.type] : [] }}
          ownerKind={kind}
          {...(owner.kind === 'platform' || owner.kind === 'company' ? { ownerField } : {})}
          save={save}
          submitLabel="Add endpoint"
          cancel={<ButtonLink to="/endpoints">Cancel</ButtonLink>}
        />
      </Card>
    </Page>
  );
}

function NotAllowed() {
  return (
    <Page title="Add endpoint">
      <Note title="Your session may only view">To add an endpoint, sign in with a link that may manage.</Note>
    </Page>
  );
}

function OwnerField({ kind, id, onKind, onId, faults }: {
  kind: TenantKind;
  id: string;
  onKind: (kind: TenantKind) => void;
  onId: (id: string) => void;
  faults: string[];
}) {
  const { owner } = useSigned();
  const kinds: TenantKind[] = owner.kind === 'company' ? ['company', 'location'] : ['location', 'company', 'app'];
  return (
    <div className="grid gap-4 sm:grid-cols-[10rem_1fr]">
      <Field label="Belongs to a">
        {(tied) => (
          <select {...tied} className="input" value={kind} onChange={(event) => onKind(event.target.value as TenantKind)}>
            {kinds.map((option) => (
              <option key={option} value={option}>
                {option}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field label={`Id of the ${kind}`} faults={faults} hint="The platform's own id. It decides which events come here, and cannot be changed later.">
        {(tied) => (
          <input {...tied} className="input mono" spellCheck={false} autoComplete="off" placeholder="ve9EPM428h8vShlRW1KT" value={id} onChange={(event) => onId(event.target.value)} />
        )}
      </Field>
    </div>
  );
}

function Welcome({ endpoint }: { endpoint: Created }) {
  const navigate = useNavigate();
  const params = { id: endpoint.id };
  return (
    <Page
      title="The endpoint is ready"
      top={<Trail here="Add endpoint" up={[{ to: '/endpoints', label: 'Endpoints' }]} />}
      intro={<span className="[overflow-wrap:anywhere]">{endpoint.url}</span>}
    >
      <Card title="1. Keep the signing secret">
        <div className="flex flex-col gap-3">
          <p className="text-soft">
            Your receiver checks every request with it, as <code>WEBHOOK_SECRET</code>. It stays readable under Signing.
          </p>
          {endpoint.secret && (
            <div className="flex flex-wrap items-center gap-2">
              <code className="min-w-0 flex-1 basis-64 rounded-md border border-line bg-sunk px-3 py-2 [overflow-wrap:anywhere] select-all" aria-label="Signing secret">
                {endpoint.secret}
              </code>
              <CopyButton text={endpoint.secret} label="Copy secret" small={false} />
            </div>
          )}
        </div>
      </Card>
      <Card title="2. Send a test">
        <div className="flex flex-wrap items-center justify-between gap-3">
          <p className="min-w-0 flex-1 basis-64 text-soft">See at once what your receiver answers. A test is never retried.</p>
          <ButtonLink look="primary" icon="send" to="/endpoints/$id/test" params={params}>
            Send test
          </ButtonLink>
        </div>
      </Card>
      <Card title="3. Verify signatures">
        <div className="flex flex-wrap items-center justify-between gap-3">
          <p className="min-w-0 flex-1 basis-64 text-soft">Complete receivers in eight languages, and a checker that says why a signature does not match.</p>
          <button type="button" className="link" onClick={() => void navigate({ to: '/endpoints/$id/signing', params })}>
            Go to Signing
          </button>
        </div>
      </Card>
    </Page>
  );
}
