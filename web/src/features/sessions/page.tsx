// Who is signed in, or may still sign in, and how a link is made.

import { useInfiniteQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import type { Session } from '~/api/client';
import { listQuery, rowsOf } from '~/api/queries';
import { Trail } from '~/app/layout';
import { ownerOf, OWNER_WORDS, permissionWords, useSigned } from '~/app/session';
import { Badge } from '~/ui/badge';
import { CodeBlock } from '~/ui/code';
import { List } from '~/ui/list';
import { Empty } from '~/ui/notes';
import { Card, Page } from '~/ui/page';
import { type Column } from '~/ui/table';
import { Ago, Time } from '~/ui/time';
import { Revoke, SignOut } from './end';

export function SessionsPage() {
  const { session, owner, mayManage } = useSigned();
  const list = useInfiniteQuery(listQuery('/v1/sessions', {}, 100));
  const rows = useMemo(() => rowsOf(list.data) as Session[], [list.data]);
  const columns = useMemo(() => columnsFor(session.id, mayManage), [session.id, mayManage]);
  const ownerPart = owner.id ? `"${owner.kind}Id": "${owner.id}"` : '"locationId": "ve9EPM428h8vShlRW1KT"';
  const command = `curl -s ${location.origin}/v1/portal-sessions -H "authorization: Bearer $HOOPOE_API_KEY" \\
  -H 'content-type: application/json' \\
  -d '{${ownerPart}, "permissions": ["view", "manage"], "ttlSeconds": 3600}'`;
  return (
    <Page title="Sessions" top={<Trail here="Sessions" />} intro="People who are signed in, or whose link was not used yet. A revoked session is refused from its next request on.">
      <List list={list} what="the sessions" label="Sessions" rows={rows} columns={columns} rowKey={rowId} linked={false} rowHeight={57} empty={<Empty icon="people" title="Nobody is signed in" />} />
      <Card title="Portal links">
        <div className="flex flex-col gap-2">
          <p className="max-w-3xl text-soft">
            The platform&rsquo;s backend makes a link for a person whom it knows already and sends their browser there. It works once and for a minute. A session makes no further session, so this takes an API key that may manage:
          </p>
          <CodeBlock label="Command that makes a portal link" text={command} />
        </div>
      </Card>
    </Page>
  );
}

const rowId = ({ id }: Session) => id;

function columnsFor(ownId: string, mayManage: boolean): Column<Session>[] {
  const columns: Column<Session>[] = [
    {
      id: 'owner',
      header: 'Signed in as',
      meta: { className: 'on-phone-full' },
      cell: ({ row: { original } }) => {
        const owner = ownerOf(original);
        return (
          <>
            <p className="flex flex-wrap items-center gap-2">
              <span className="font-medium">{owner.kind === 'platform' ? 'Operator' : OWNER_WORDS[owner.kind]}</span>
              {owner.id && <code className="text-xs">{owner.id}</code>}
              {original.id === ownId && (
                <Badge tone="info" icon="people">
                  This is you
                </Badge>
              )}
            </p>
            <code className="text-xs text-soft">{original.id}</code>
          </>
        );
      },
    },
    { id: 'may', header: 'May', meta: { className: 'text-soft' }, cell: ({ row: { original } }) => permissionWords(original.permissions) },
    { id: 'used', header: 'Last used', meta: { className: 'text-soft' }, cell: ({ row: { original } }) => (original.openedAt ? <><span className="md:hidden">used </span><Ago at={original.lastUsedAt ?? original.openedAt} /></> : 'link not used yet') },
    { id: 'ends', header: 'Ends', meta: { className: 'text-soft on-phone-none' }, cell: ({ row: { original } }) => <Time at={original.expiresAt} /> },
  ];
  if (mayManage) columns.push({ id: 'revoke', header: 'Actions', meta: { hideHead: true, className: 'text-right max-md:ml-auto' }, cell: ({ row: { original } }) => (original.id === ownId ? <SignOut id={original.id} look="danger" /> : <Revoke id={original.id} />) });
  return columns;
}
