// The event catalogue by category.

import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useMemo } from 'react';
import { eventTypesQuery } from '~/api/queries';
import { Trail } from '~/app/layout';
import { Button } from '~/ui/button';
import { SearchField } from '~/ui/field';
import { plural } from '~/ui/format';
import { Empty, Loading, ProblemNote } from '~/ui/notes';
import { Filters as FilterBar, Page } from '~/ui/page';
import { byCategory } from '../endpoints/event-picker';

const route = getRouteApi('/catalogue');

export function CataloguePage() {
  const { q = '' } = route.useSearch();
  const navigate = route.useNavigate();
  const { data, error, isPending, refetch } = useQuery(eventTypesQuery);
  const groups = useMemo(() => byCategory(data ?? [], q), [data, q]);
  const search = (text: string) => void navigate({ search: text ? { q: text } : {}, replace: true });
  return (
    <Page title="Event catalogue" top={<Trail here="Event catalogue" />} intro={data && `${plural(data.length, 'event type')}, each with its fields, an example and types for your language.`}>
      <FilterBar>
        <SearchField label="Search the event types" value={q} onChange={search} />
      </FilterBar>
      {isPending && <Loading what="the catalogue" />}
      {error && <ProblemNote error={error} retry={() => void refetch()} />}
      {data && groups.length === 0 && (
        <div className="card">
          <Empty icon="search" title="No event type matches" action={<Button onClick={() => search('')}>Clear the search</Button>} />
        </div>
      )}
      {groups.map(([category, types]) => (
        <section key={category} aria-labelledby={anchor(category)}>
          <h2 id={anchor(category)} className="mb-2 flex items-baseline gap-2 text-lg font-semibold">
            {category} <span className="text-sm font-normal text-soft">{types.length}</span>
          </h2>
          <ul className="card grid grid-cols-1 gap-px overflow-clip bg-line md:grid-cols-2">
            {types.map((type) => (
              <li key={type.type} className="bg-surface md:last:odd:col-span-2">
                <Link to="/catalogue/$type" params={{ type: type.type }} className="flex h-full flex-col px-4 py-3 -outline-offset-2 hover:bg-sunk">
                  <span className="flex flex-wrap items-baseline gap-x-2">
                    <span className="font-medium">{type.title}</span>
                    <code className="text-xs text-soft">{type.type}</code>
                  </span>
                  <span className="text-sm text-soft">{type.summary}</span>
                </Link>
              </li>
            ))}
          </ul>
        </section>
      ))}
    </Page>
  );
}

const anchor = (category: string) => category.toLowerCase().replace(/[^a-z]+/g, '-');
