// Who is signed in, and what they may do: everything that the console shows follows from this.

import { useQuery, useQueryClient } from '@tanstack/react-query';
import { createContext, use, useEffect, type ReactNode } from 'react';
import { onSignedOut, setCsrfToken, type CurrentSession } from '~/api/client';
import { isProblem } from '~/api/problem';
import { brandQuery, sessionQuery } from '~/api/queries';
import { Loading, ProblemNote } from '~/ui/notes';
import { SignIn } from '~/features/signin/sign-in';

export type OwnerKind = 'platform' | 'company' | 'location' | 'app';

export interface Owner {
  kind: OwnerKind;
  id: string | null;
}

export const OWNER_WORDS: Record<OwnerKind, string> = { platform: 'Platform', company: 'Company', location: 'Location', app: 'App' };

/** In the order in which they give more. */
const PERMISSIONS = ['view', 'manage', 'publish'];

export const permissionWords = (held: readonly string[]) => PERMISSIONS.filter((permission) => held.includes(permission)).join(', ');

export interface Signed {
  session: CurrentSession;
  owner: Owner;
  mayManage: boolean;
  mayView: boolean;
}

export interface Owned {
  locationId?: string | null;
  companyId?: string | null;
  appId?: string | null;
}

export function ownerOf({ locationId, companyId, appId }: Owned): Owner {
  if (locationId) return { kind: 'location', id: locationId };
  if (companyId) return { kind: 'company', id: companyId };
  if (appId) return { kind: 'app', id: appId };
  return { kind: 'platform', id: null };
}

const Context = createContext<Signed | null>(null);

export function useSigned(): Signed {
  const signed = use(Context);
  if (!signed) throw new Error('nobody is signed in here');
  return signed;
}

export function useBrand() {
  return useQuery(brandQuery).data;
}

/** What is inside sees a signed-in person alone. */
export function SessionGate({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const { data, error, isPending, refetch } = useQuery(sessionQuery);
  useEffect(() => onSignedOut(() => void client.invalidateQueries({ queryKey: ['session'] })), [client]);
  if (isPending) return <Loading what="your session" />;
  if (isProblem(error) && error.status === 401) return <SignIn />;
  if (!data) {
    return (
      <main className="mx-auto max-w-xl p-6">
        <ProblemNote error={error} retry={() => void refetch()} />
      </main>
    );
  }
  setCsrfToken(data.csrfToken);
  const permissions: readonly string[] = data.permissions;
  const signed: Signed = {
    session: data,
    owner: ownerOf(data),
    mayManage: permissions.includes('manage'),
    mayView: permissions.includes('view'),
  };
  return <Context value={signed}>{children}</Context>;
}
