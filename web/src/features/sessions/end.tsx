// A session's end: by its own person, or by somebody who may manage.

import { useQueryClient } from '@tanstack/react-query';
import { api } from '~/api/client';
import { ConfirmButton } from '~/ui/dialog';
import { say } from '~/ui/toast';

function useEnd(id: string, touched: string) {
  const client = useQueryClient();
  return async () => {
    await api.DELETE('/v1/sessions/{id}', { params: { path: { id } } });
    say('The session is refused from now on.');
    await client.invalidateQueries({ queryKey: [touched] });
  };
}

export function SignOut({ id, look }: { id: string; look: 'danger' | 'quiet' }) {
  return (
    <ConfirmButton label="Sign out" small look={look} title="Sign out?" confirm="Sign out" act={useEnd(id, 'session')}>
      You need a new link to come back.
    </ConfirmButton>
  );
}

export function Revoke({ id }: { id: string }) {
  return (
    <ConfirmButton label="Revoke" small title="Revoke this session?" confirm="Revoke" act={useEnd(id, '/v1/sessions')}>
      Whoever uses it is signed out at once.
    </ConfirmButton>
  );
}
