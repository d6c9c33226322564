// Who changed what, when, from where, and how it was before.

import { useInfiniteQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import type { AuditEntry } from '~/api/client';
import { listQuery, rowsOf, type Filters } from '~/api/queries';
import { Trail } from '~/app/layout';
import { PERIOD_OPTIONS, sinceOf } from '~/app/search';
import { ownerOf, useSigned } from '~/app/session';
import { Button } from '~/ui/button';
import { Body, Stranger } from '~/ui/code';
import { Dialog } from '~/ui/dialog';
import { FilterSelect } from '~/ui/field';
import { List } from '~/ui/list';
import { Empty } from '~/ui/notes';
import { Facts, Filters as FilterBar, Page } from '~/ui/page';
import { type Column } from '~/ui/table';
import { Time } from '~/ui/time';
import { ACTIONS, ACTION_WORDS, changesOf } from './words';

const route = getRouteApi('/audit');

export function AuditPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const { owner } = useSigned();
  const [shown, setShown] = useState<AuditEntry | null>(null);
  const since = useMemo(() => sinceOf(search.since), [search.since]);
  const { action, objectId, locationId, companyId, appId } = search;
  const filters = { action, objectId, since, locationId, companyId, appId } as Filters<'/v1/audit'>;
  const list = useInfiniteQuery(listQuery('/v1/audit', filters));
  const rows = useMemo(() => rowsOf(list.data) as AuditEntry[], [list.data]);
  const columns = useMemo(() => columnsFor(owner.kind === 'platform' || owner.kind === 'company', setShown), [owner.kind]);
  const set = (change: Partial<typeof search>) => void navigate({ search: (old) => ({ ...old, ...change }), replace: true });
  return (
    <Page title="Audit" top={<Trail here="Audit" />} intro="Every change, and every look at a secret. Nothing can alter or delete an entry.">
      <FilterBar>
        <FilterSelect
          label="Action"
          value={action ?? ''}
          onChange={(value) => set({ action: value || undefined })}
          options={[['', 'Any action'], ...ACTIONS.map((known) => [known, ACTION_WORDS[known]] as const)]}
        />
        <FilterSelect label="Time" value={search.since ?? ''} onChange={(value) => set({ since: value || undefined })} options={PERIOD_OPTIONS} />
        <input
          aria-label="Id of the object"
          className="input mono flex-1 basis-48 sm:max-w-72"
          placeholder="Id of the object: ep_…, key_…"
          spellCheck={false}
          value={objectId ?? ''}
          onChange={(event) => set({ objectId: event.target.value.trim() || undefined })}
        />
      </FilterBar>
      <List
        list={list}
        what="the audit log"
        label="Audit log"
        rows={rows}
        columns={columns}
        rowKey={rowId}
        rowHeight={57}
        empty={<Empty icon="audit" title="No entry matches" action={<Button onClick={() => void navigate({ search: {} })}>Clear the filters</Button>} />}
      />
      <Dialog open={shown !== null} onClose={() => setShown(null)} title={shown ? ACTION_WORDS[shown.action] : ''} wide>
        {shown && <Entry entry={shown} />}
      </Dialog>
    </Page>
  );
}

const rowId = ({ id }: AuditEntry) => id;

function columnsFor(showsOwner: boolean, show: (entry: AuditEntry) => void): Column<AuditEntry>[] {
  const columns: (Column<AuditEntry> | false)[] = [
    {
      id: 'action',
      header: 'What',
      meta: { className: 'on-phone-full' },
      cell: ({ row: { original } }) => (
        <>
          <button type="button" className="row-link text-left font-medium" onClick={() => show(original)}>
            {ACTION_WORDS[original.action] ?? original.action}
          </button>
          <p className="text-xs text-soft">
            {original.object.type.replace('api-key', 'API key')} <code className="text-xs">{original.object.id}</code>
          </p>
        </>
      ),
    },
    { id: 'actor', header: 'Who', cell: ({ row: { original } }) => <Actor entry={original} /> },
    showsOwner && {
      id: 'owner',
      header: 'Owner',
      meta: { className: 'text-soft on-phone-none' },
      cell: ({ row: { original } }) => {
        const owner = ownerOf(original);
        return (
          <>
            {owner.kind} {owner.id && <code className="text-xs">{owner.id}</code>}
          </>
        );
      },
    },
    { id: 'address', header: 'From', meta: { className: 'text-soft on-phone-none' }, cell: ({ row: { original } }) => (original.address ? <code>{original.address}</code> : '–') },
    { id: 'at', header: 'When', meta: { className: 'text-right text-soft max-md:ml-auto' }, cell: ({ row: { original } }) => <Time at={original.at} /> },
  ];
  return columns.filter((column): column is Column<AuditEntry> => column !== false);
}

function Actor({ entry: { actor } }: { entry: AuditEntry }) {
  const words = { 'platform-key': "The operator's key", 'api-key': 'API key', session: 'Session', system: 'The server itself' }[actor.type];
  return (
    <span>
      {words} {actor.name && <Stranger text={actor.name} className="text-soft" />}
    </span>
  );
}

function Entry({ entry }: { entry: AuditEntry }) {
  const changes = changesOf(entry.before, entry.after);
  return (
    <>
      <Facts
        rows={[
          ['When', <Time key="at" at={entry.at} dated />],
          ['Who', <span key="who"><Actor entry={entry} /> {entry.actor.id && <code className="text-xs">{entry.actor.id}</code>}</span>],
          ['From', entry.address ?? 'Not told'],
          ['Object', entry.object.type === 'endpoint' ? <Link key="object" to="/endpoints/$id" params={{ id: entry.object.id }} className="link mono">{entry.object.id}</Link> : <code key="object">{entry.object.id}</code>],
          ['Request', <code key="request">{entry.requestId}</code>],
        ]}
      />
      {entry.before && entry.after && (
        <section className="flex flex-col gap-2">
          <h3 className="label">Changed</h3>
          {changes.length === 0 && <p className="hint">Nothing that is shown.</p>}
          {changes.map(({ field, before, after }) => (
            <div key={field} className="mono rounded-md border border-line bg-sunk px-3 py-2 [overflow-wrap:anywhere]">
              <p className="font-semibold">{field}</p>
              <p className="text-bad">
                <span aria-hidden="true">− </span>
                <span className="sr-only">before: </span>
                <Stranger text={before} />
              </p>
              <p className="text-ok">
                <span aria-hidden="true">+ </span>
                <span className="sr-only">after: </span>
                <Stranger text={after} />
              </p>
            </div>
          ))}
        </section>
      )}
      {!entry.before && entry.after && <Body text={JSON.stringify(entry.after)} label="After" />}
      {entry.before && !entry.after && <Body text={JSON.stringify(entry.before)} label="Before" />}
    </>
  );
}
