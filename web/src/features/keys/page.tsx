// API keys: who has which, made here by the operator alone, since a session's keys would outlive it.

import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useMemo } from 'react';
import { api, type ApiKey } from '~/api/client';
import { listQuery, rowsOf } from '~/api/queries';
import { Trail } from '~/app/layout';
import { ownerOf, permissionWords, useSigned } from '~/app/session';
import { Button } from '~/ui/button';
import { CodeBlock, Stranger } from '~/ui/code';
import { ConfirmButton } from '~/ui/dialog';
import { SearchField } from '~/ui/field';
import { List } from '~/ui/list';
import { Empty, Note } from '~/ui/notes';
import { Filters, Page } from '~/ui/page';
import { type Column } from '~/ui/table';
import { Ago, Time, useNow } from '~/ui/time';
import { say } from '~/ui/toast';
import { NewKey } from './new-key';

const route = getRouteApi('/api-keys');

export function ApiKeysPage() {
  const { q = '' } = route.useSearch();
  const navigate = route.useNavigate();
  const { owner, mayManage } = useSigned();
  const mayCreate = mayManage && owner.kind === 'platform';
  const list = useInfiniteQuery(listQuery('/v1/api-keys', {}, 200));
  const keys = useMemo(() => rowsOf(list.data) as ApiKey[], [list.data]);
  const rows = useMemo(() => keys.filter((key) => [key.name, key.id, ownerOf(key).id].join(' ').toLowerCase().includes(q.toLowerCase())), [keys, q]);
  const columns = useMemo(() => columnsFor(mayManage), [mayManage]);
  return (
    <Page title="API keys" top={<Trail here="API keys" />} intro="For programs. A key is shown once, when it is made; only its hash is kept." actions={mayCreate && <NewKey />}>
      {keys.length > 0 && (
        <Filters>
          <SearchField label="Search name, id or owner" value={q} onChange={(text) => void navigate({ search: text ? { q: text } : {}, replace: true })} />
        </Filters>
      )}
      {mayManage && !mayCreate && <HowTo />}
      <List
        list={list}
        what="the keys"
        label="API keys"
        rows={rows}
        columns={columns}
        rowKey={rowId}
        linked={false}
        rowHeight={57}
        empty={
          keys.length === 0 ? (
            <Empty icon="key" title="No keys">{mayCreate ? 'Make one for a program that publishes or reads.' : 'The platform makes keys for your programs.'}</Empty>
          ) : (
            <Empty icon="search" title="No key matches" action={<Button onClick={() => void navigate({ search: {} })}>Clear the search</Button>} />
          )
        }
      />
    </Page>
  );
}

const rowId = ({ id }: ApiKey) => id;

function HowTo() {
  const { owner } = useSigned();
  const body = `{"name": "CRM sync", "${owner.kind}Id": "${owner.id}", "permissions": ["view"]}`;
  return (
    <Note title="Keys are made by a key, not here">
      <p className="mb-2">What a session makes would outlive it. With an API key that may manage:</p>
      <CodeBlock label="Command that makes a key" text={`curl -s ${location.origin}/v1/api-keys -H "authorization: Bearer $HOOPOE_API_KEY" \\\n  -H 'content-type: application/json' -d '${body}'`} />
    </Note>
  );
}

function columnsFor(mayManage: boolean): Column<ApiKey>[] {
  const columns: Column<ApiKey>[] = [
    {
      id: 'name',
      header: 'Name',
      meta: { className: 'on-phone-full' },
      cell: ({ row: { original } }) => (
        <>
          <p className="font-medium">
            <Stranger text={original.name} />
          </p>
          <code className="text-xs text-soft max-xl:[overflow-wrap:anywhere]">{original.id}</code>
        </>
      ),
    },
    {
      id: 'owner',
      header: 'Owner',
      cell: ({ row: { original } }) => {
        const owner = ownerOf(original);
        return (
          <span className="text-soft">
            {owner.kind} {owner.id && <code className="text-xs max-xl:[overflow-wrap:anywhere]">{owner.id}</code>}
          </span>
        );
      },
    },
    {
      id: 'permissions',
      header: 'May',
      meta: { className: 'text-soft xl:whitespace-nowrap' },
      cell: ({ row: { original } }) => permissionWords(original.permissions),
    },
    { id: 'used', header: 'Last used', meta: { className: 'text-soft whitespace-nowrap' }, cell: ({ row: { original } }) => (original.lastUsedAt ? <><span className="md:hidden">used </span><Ago at={original.lastUsedAt} /></> : 'never used') },
    { id: 'expires', header: 'Ends', meta: { className: 'text-soft on-phone-none' }, cell: ({ row: { original } }) => <Expiry at={original.expiresAt} /> },
  ];
  if (mayManage) {
    columns.push({
      id: 'delete',
      header: 'Actions',
      meta: { hideHead: true, className: 'text-right max-md:ml-auto' },
      cell: ({ row: { original } }) => <Delete apiKey={original} />,
    });
  }
  return columns;
}

function Expiry({ at }: { at: string | null }) {
  const now = useNow();
  if (!at) return 'never';
  return Date.parse(at) < now ? <span className="text-bad">expired</span> : <Time at={at} />;
}

function Delete({ apiKey }: { apiKey: ApiKey }) {
  const client = useQueryClient();
  const act = async () => {
    await api.DELETE('/v1/api-keys/{id}', { params: { path: { id: apiKey.id } } });
    await client.invalidateQueries({ queryKey: ['/v1/api-keys'] });
    say(`The key “${apiKey.name}” is refused from now on.`);
  };
  return (
    <ConfirmButton label="Delete" small title={`Delete “${apiKey.name}”?`} confirm="Delete key" act={act}>
      Programs that use it are refused from their next request on. This cannot be undone.
    </ConfirmButton>
  );
}
