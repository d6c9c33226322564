// The secret, its rotation, receivers that verify, and why a signature does not match.

import { useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { lazy, Suspense, useEffect, useState } from 'react';
import { api, data, type Schemas } from '~/api/client';
import { secretQuery } from '~/api/queries';
import { useSigned } from '~/app/session';
import { Button, CopyButton } from '~/ui/button';
import { ConfirmButton, Dialog, DialogActions } from '~/ui/dialog';
import { Field } from '~/ui/field';
import { Loading, Note, ProblemNote } from '~/ui/notes';
import { Card } from '~/ui/page';
import { Countdown, Time } from '~/ui/time';
import { useSaving } from '~/ui/saving';
import { say } from '~/ui/toast';
import { Explain } from './explain';

const route = getRouteApi('/endpoints/$id/signing');
const Snippets = lazy(() => import('./snippets'));
type Secrets = Schemas['EndpointSecret'];

export function Signing() {
  const { id } = route.useParams();
  const { mayManage } = useSigned();
  const [revealed, setRevealed] = useState(false);
  const secret = useQuery({ ...secretQuery(id), enabled: revealed && mayManage });
  if (!mayManage) return <Note title="Your session may only view">Secrets are shown to those who may manage.</Note>;
  return (
    <div className="flex flex-col gap-4">
      <Card title="Signing secret">
        <div className="flex flex-col gap-4">
          <p className="max-w-3xl text-soft">
            Every request carries <code>webhook-signature</code> (Standard Webhooks) and <code>x-wl-signature</code> (the CRM platform&rsquo;s), both made with this secret. Check one of them. Each look at the secret is written to the audit log.
          </p>
          {!revealed && (
            <div className="flex flex-wrap items-center gap-2">
              <code className="min-w-0 flex-1 basis-56 rounded-md border border-line bg-sunk px-3 py-2 text-soft">whsec_••••••••••••••••••••••••</code>
              <Button icon="eye" onClick={() => setRevealed(true)}>
                Reveal
              </Button>
            </div>
          )}
          {revealed && secret.isPending && <Loading what="the secret" />}
          {secret.error && <ProblemNote error={secret.error} retry={() => void secret.refetch()} />}
          {secret.data && <Shown secrets={secret.data} id={id} hide={() => setRevealed(false)} />}
          <div className="flex flex-wrap gap-2 border-t border-line pt-4">
            <Rotate id={id} done={() => setRevealed(true)} />
          </div>
        </div>
      </Card>
      <Card title="Receivers that verify">
        <Suspense fallback={<Loading what="the receivers" />}>
          <Snippets />
        </Suspense>
      </Card>
      <Explain endpointId={id} />
    </div>
  );
}

function Shown({ secrets, id, hide }: { secrets: Secrets; id: string; hide: () => void }) {
  const client = useQueryClient();
  const refresh = (next: Secrets) => client.setQueryData(['secret', id], next);
  return (
    <div className="flex flex-col gap-3">
      <Secret label={secrets.previousSecret ? 'New secret' : 'Secret'} value={secrets.secret ?? ''} />
      {secrets.previousSecret && <Secret label="Previous secret" value={secrets.previousSecret} />}
      {secrets.graceUntil && <Grace secrets={secrets} id={id} refresh={refresh} />}
      <div>
        <Button small look="quiet" onClick={hide}>
          Hide
        </Button>
      </div>
    </div>
  );
}

function Secret({ label, value }: { label: string; value: string }) {
  return (
    <div className="flex flex-col gap-1">
      <p className="label">{label}</p>
      <div className="flex flex-wrap items-center gap-2">
        <code className="min-w-0 flex-1 basis-56 rounded-md border border-line bg-sunk px-3 py-2 [overflow-wrap:anywhere] select-all" aria-label={label}>
          {value}
        </code>
        <CopyButton text={value} label={`Copy ${label.toLowerCase()}`} small={false} />
      </div>
    </div>
  );
}

function Grace({ secrets, id, refresh }: { secrets: Secrets; id: string; refresh: (secrets: Secrets) => void }) {
  const client = useQueryClient();
  const { graceUntil } = secrets;
  useEffect(() => {
    if (!graceUntil) return;
    // Longer timers than 24 days overflow; a grace is at most seven.
    const timer = setTimeout(() => void client.invalidateQueries({ queryKey: ['secret', id] }), Math.max(Date.parse(graceUntil) - Date.now(), 0) + 500);
    return () => clearTimeout(timer);
  }, [graceUntil, client, id]);
  if (!graceUntil) return null;
  const promote = async () => {
    refresh(await data(api.POST('/v1/endpoints/{id}/secret/promote', { params: { path: { id } } })));
    say('The new secret signs everything now.');
  };
  return (
    <Note
      tone="warn"
      title={
        <>
          Grace period: <Countdown until={graceUntil} over="ending now" /> left
        </>
      }
      action={
        <ConfirmButton look="plain" small label="End the grace now" title="Use the new secret alone?" confirm="Use the new secret" act={promote}>
          From now on the new secret signs everything. A receiver that knows only the old one refuses what comes.
        </ConfirmButton>
      }
    >
      Until <Time at={graceUntil} /> <code>webhook-signature</code> carries both, and <code>x-wl-signature</code> uses the previous secret. Put the new one in <code>WEBHOOK_SECRET</code> and the previous one in{' '}
      <code>WEBHOOK_SECRET_PREVIOUS</code>.
    </Note>
  );
}

const GRACES = [
  ['86400', '24 hours'],
  ['3600', '1 hour'],
  ['259200', '3 days'],
  ['604800', '7 days'],
  ['0', 'None: the old secret has leaked'],
] as const;

function Rotate({ id, done }: { id: string; done: () => void }) {
  const client = useQueryClient();
  const [open, setOpen] = useState(false);
  const [grace, setGrace] = useState('86400');
  const { busy, problem, save } = useSaving();
  const rotate = async () => {
    const secrets = await data(api.POST('/v1/endpoints/{id}/secret/rotate', { params: { path: { id } }, body: { graceSeconds: Number(grace) } }));
    client.setQueryData(['secret', id], secrets);
    setOpen(false);
    done();
    say('Rotated: the new secret is shown.');
  };
  return (
    <>
      <Button icon="retry" onClick={() => setOpen(true)}>
        Rotate secret
      </Button>
      <Dialog open={open} onClose={() => setOpen(false)} title="Rotate the secret?">
        <p className="text-soft">A new secret is made. While the grace period runs the old one still verifies, so that nothing breaks until your receiver knows both.</p>
        <Field label="Grace period" hint={grace === '0' ? 'The new secret signs at once: your receiver refuses deliveries until it knows it. They are retried.' : undefined}>
          {(tied) => (
            <select {...tied} className="input" value={grace} onChange={(event) => setGrace(event.target.value)}>
              {GRACES.map(([seconds, words]) => (
                <option key={seconds} value={seconds}>
                  {words}
                </option>
              ))}
            </select>
          )}
        </Field>
        <ProblemNote error={problem} />
        <DialogActions>
          <Button onClick={() => setOpen(false)}>Keep the secret</Button>
          <Button look="primary" busy={busy} onClick={() => void save(rotate)}>
            Rotate
          </Button>
        </DialogActions>
      </Dialog>
    </>
  );
}
