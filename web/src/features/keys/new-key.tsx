// Make a key, and show it this once.

import { useQueryClient } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { api, data, type Schemas } from '~/api/client';
import { useSigned, type OwnerKind } from '~/app/session';
import { Button } from '~/ui/button';
import { CodeBlock } from '~/ui/code';
import { Dialog, DialogActions } from '~/ui/dialog';
import { Check, Faults, Field } from '~/ui/field';
import { Note, ProblemNote } from '~/ui/notes';
import { useSaving } from '~/ui/saving';

type Created = Schemas['ApiKeyCreated'];
type Permission = Created['permissions'][number];

const PERMISSIONS: [Permission, string][] = [
  ['view', 'Endpoints, events, deliveries, keys and sessions'],
  ['manage', 'Change things, read secrets and the audit log'],
  ['publish', 'Publish events'],
];

const ENDS = [
  ['', 'Never'],
  ['7', 'In 7 days'],
  ['30', 'In 30 days'],
  ['90', 'In 90 days'],
  ['365', 'In a year'],
] as const;

export function NewKey() {
  const [open, setOpen] = useState(false);
  const [created, setCreated] = useState<Created | null>(null);
  const close = () => {
    setOpen(false);
    setCreated(null);
  };
  return (
    <>
      <Button look="primary" icon="plus" onClick={() => setOpen(true)}>
        New API key
      </Button>
      <Dialog open={open} onClose={close} title={created ? 'Keep this key' : 'New API key'}>
        {created ? <Shown created={created} close={close} /> : <KeyForm done={setCreated} close={close} />}
      </Dialog>
    </>
  );
}

function Shown({ created, close }: { created: Created; close: () => void }) {
  return (
    <>
      <Note tone="warn" title="It is shown this once">
        Copy it to where your program keeps its secrets. Only its hash is kept here.
      </Note>
      <CodeBlock label="API key" text={created.key ?? ''} />
      <DialogActions>
        <Button look="primary" onClick={close}>
          I have copied it
        </Button>
      </DialogActions>
    </>
  );
}

function KeyForm({ done, close }: { done: (created: Created) => void; close: () => void }) {
  const client = useQueryClient();
  const [name, setName] = useState('');
  const [kind, setKind] = useState<OwnerKind>('platform');
  const [id, setId] = useState('');
  const [chosen, setChosen] = useState<Permission[]>(['view']);
  const [days, setDays] = useState('');
  const { busy, problem, save } = useSaving();
  const make = async () => {
    const expiresAt = days ? new Date(Date.now() + Number(days) * 86_400_000).toISOString() : null;
    const body = { name, permissions: chosen, expiresAt, ...(kind === 'platform' ? {} : { [`${kind}Id`]: id.trim() }) };
    const created = await data(api.POST('/v1/api-keys', { body }));
    await client.invalidateQueries({ queryKey: ['/v1/api-keys'] });
    done(created);
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void save(make);
  };
  return (
    <form onSubmit={submit} noValidate className="flex flex-col gap-4">
      <Field label="Name" faults={problem?.at('/name') ?? []} hint="What it is for, such as the program that uses it.">
        {(tied) => <input {...tied} className="input" maxLength={256} autoComplete="off" value={name} onChange={(event) => setName(event.target.value)} />}
      </Field>
      <World kind={kind} choose={setKind} id={id} setId={setId} faults={problem?.at(`/${kind}Id`) ?? []} />
      <Permissions chosen={chosen} choose={setChosen} faults={problem?.at('/permissions', { below: true }) ?? []} />
      <Field label="Ends" faults={problem?.at('/expiresAt') ?? []}>
        {(tied) => (
          <select {...tied} className="input" value={days} onChange={(event) => setDays(event.target.value)}>
            {ENDS.map(([value, words]) => (
              <option key={value} value={value}>
                {words}
              </option>
            ))}
          </select>
        )}
      </Field>
      <ProblemNote error={problem} hide={['/name', '/permissions', '/expiresAt', '/locationId', '/companyId', '/appId']} />
      <DialogActions>
        <Button onClick={close}>Cancel</Button>
        <Button type="submit" look="primary" busy={busy}>
          Make key
        </Button>
      </DialogActions>
    </form>
  );
}

function World({ kind, choose, id, setId, faults }: { kind: OwnerKind; choose: (kind: OwnerKind) => void; id: string; setId: (id: string) => void; faults: string[] }) {
  return (
    <>
      <Field label="Sees the world of">
        {(tied) => (
          <select {...tied} className="input" value={kind} onChange={(event) => choose(event.target.value as OwnerKind)}>
            <option value="platform">the platform</option>
            <option value="company">a company</option>
            <option value="location">a location</option>
            <option value="app">an app</option>
          </select>
        )}
      </Field>
      {kind !== 'platform' && (
        <Field label={`Id of the ${kind}`} faults={faults}>
          {(tied) => <input {...tied} className="input mono" spellCheck={false} autoComplete="off" value={id} onChange={(event) => setId(event.target.value)} />}
        </Field>
      )}
    </>
  );
}

function Permissions({ chosen, choose, faults }: { chosen: Permission[]; choose: (chosen: Permission[]) => void; faults: string[] }) {
  const { session } = useSigned();
  const own: readonly string[] = session.permissions;
  return (
    <fieldset className="flex flex-col gap-2">
      <legend className="label mb-1">May</legend>
      {PERMISSIONS.filter(([permission]) => own.includes(permission)).map(([permission, words]) => (
        <Check
          key={permission}
          label={permission}
          hint={words}
          checked={chosen.includes(permission)}
          onChange={(event) => choose(event.target.checked ? [...chosen, permission] : chosen.filter((other) => other !== permission))}
        />
      ))}
      <Faults faults={faults} />
      {!own.includes('publish') && (
        <p className="hint">
          A session publishes nothing and so makes no key that does: use <code>POST /v1/api-keys</code> with a key that may publish and manage.
        </p>
      )}
    </fieldset>
  );
}
