// "Send me this one": to which of the endpoints, then on to its test page.

import { useInfiniteQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import type { EventType } from '~/api/client';
import { listQuery, rowsOf } from '~/api/queries';
import { Button, ButtonLink } from '~/ui/button';
import { Dialog, DialogActions } from '~/ui/dialog';
import { Field } from '~/ui/field';
import { Loading, ProblemNote } from '~/ui/notes';

export function SendThis({ type }: { type: EventType }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button look="primary" icon="send" onClick={() => setOpen(true)}>
        Send me this one
      </Button>
      <Dialog open={open} onClose={() => setOpen(false)} title={`Send a ${type.type}`}>
        <Choose type={type} close={() => setOpen(false)} />
      </Dialog>
    </>
  );
}

function Choose({ type, close }: { type: EventType; close: () => void }) {
  const navigate = useNavigate();
  const list = useInfiniteQuery(listQuery('/v1/endpoints', {}, 200));
  const endpoints = rowsOf(list.data);
  const [chosen, setChosen] = useState('');
  const id = chosen || endpoints[0]?.id;
  if (list.isPending) return <Loading what="the endpoints" />;
  if (list.error) return <ProblemNote error={list.error} />;
  if (!id) {
    return (
      <>
        <p className="text-soft">There is no endpoint yet to send it to.</p>
        <DialogActions>
          <ButtonLink look="primary" icon="plus" to="/endpoints/new" search={{ type: type.type }}>
            Add endpoint
          </ButtonLink>
        </DialogActions>
      </>
    );
  }
  return (
    <>
      <Field label="To" hint="As a test: you can edit the payload before it goes. The endpoint need not subscribe to it.">
        {(tied) => (
          <select {...tied} className="input" value={id} onChange={(event) => setChosen(event.target.value)}>
            {endpoints.map((endpoint) => (
              <option key={endpoint.id} value={endpoint.id}>
                {endpoint.description ? `${endpoint.description} — ${endpoint.url}` : endpoint.url}
              </option>
            ))}
          </select>
        )}
      </Field>
      <DialogActions>
        <Button onClick={close}>Not now</Button>
        <Button look="primary" onClick={() => void navigate({ to: '/endpoints/$id/test', params: { id }, search: { type: type.type } })}>
          Go to the test
        </Button>
      </DialogActions>
    </>
  );
}
