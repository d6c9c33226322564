// Which events: all of them, or any of the catalogue by category.

import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import type { EventType } from '~/api/client';
import { eventTypesQuery } from '~/api/queries';
import { Button } from '~/ui/button';
import { Check, Faults, SearchField } from '~/ui/field';
import { Loading, ProblemNote } from '~/ui/notes';

interface PickerProps {
  value: string[];
  onChange: (types: string[]) => void;
  faults: string[];
}

export function EventPicker({ value, onChange, faults }: PickerProps) {
  const { data, error, isPending, refetch } = useQuery(eventTypesQuery);
  const [search, setSearch] = useState('');
  const all = value.includes('*');
  // What was chosen when the page was opened comes first, and stays where it is.
  const [first] = useState(value);
  const groups = useMemo(() => {
    const isFirst = ([, types]: [string, EventType[]]) => types.some(({ type }) => first.includes(type));
    const all = byCategory(data ?? [], search);
    return [...all.filter(isFirst), ...all.filter((group) => !isFirst(group))];
  }, [data, search, first]);
  const chosen = new Set(value);
  const set = (types: string[], on: boolean) => {
    const next = new Set(value);
    for (const type of types) {
      if (on) next.add(type);
      else next.delete(type);
    }
    onChange((data ?? []).map(({ type }) => type).filter((type) => next.has(type)));
  };
  return (
    <fieldset className="flex flex-col gap-3" aria-invalid={faults.length > 0 || undefined}>
      <legend className="label mb-1">Events</legend>
      <div className="flex flex-col gap-2 rounded-md border border-line p-3">
        <Check
          label="All events"
          hint="Every type of the catalogue, also those that come later."
          checked={all}
          onChange={(event) => onChange(event.target.checked ? ['*'] : [])}
        />
      </div>
      <Faults faults={faults} />
      {!all && (
        <>
          <div className="flex flex-wrap items-center gap-2">
            <SearchField label="Search the event types" value={search} onChange={setSearch} />
            <p className="hint" aria-live="polite">
              {value.length} of {data?.length ?? '…'} chosen
            </p>
            {value.length > 0 && (
              <Button small look="quiet" onClick={() => onChange([])}>
                Choose none
              </Button>
            )}
          </div>
          {isPending && <Loading what="the catalogue" />}
          {error && <ProblemNote error={error} retry={() => void refetch()} />}
          <div className="grid max-h-[30rem] grid-cols-1 gap-px overflow-y-auto bg-line rounded-md border border-line sm:grid-cols-2" tabIndex={0} role="group" aria-label="Event types by category">
            {groups.map(([category, types]) => (
              <Category key={category} category={category} types={types} chosen={chosen} set={set} />
            ))}
            {data && groups.length === 0 && <p className="hint bg-surface p-4 sm:col-span-2">No type matches “{search}”.</p>}
          </div>
        </>
      )}
    </fieldset>
  );
}

function Category({ category, types, chosen, set }: {
  category: string;
  types: EventType[];
  chosen: Set<string>;
  set: (types: string[], on: boolean) => void;
}) {
  const names = types.map(({ type }) => type);
  const on = names.filter((name) => chosen.has(name)).length;
  const isAll = on === names.length;
  return (
    <div role="group" aria-label={category} className="bg-surface px-3 py-2 sm:last:odd:col-span-2">
      <div className="flex min-h-7 items-center justify-between gap-2">
        <p className="eyebrow">
          {category} <span className="font-normal">{on > 0 && `${on}/${names.length}`}</span>
        </p>
        <Button small look="quiet" className="-mr-2" aria-label={`${isAll ? 'Clear' : 'Select all of'} ${category}`} onClick={() => set(names, !isAll)}>
          {isAll ? 'Clear' : 'Select all'}
        </Button>
      </div>
      <ul>
        {types.map((type) => (
          <li key={type.type}>
            <label className="-mx-1 flex items-start gap-2 rounded px-1 py-1 hover:bg-sunk" title={type.summary}>
              <input
                type="checkbox"
                className="mt-0.5 size-4 shrink-0 accent-(--accent)"
                checked={chosen.has(type.type)}
                onChange={(event) => set([type.type], event.target.checked)}
              />
              <span className="min-w-0">
                {type.title} <code className="text-xs text-soft [overflow-wrap:anywhere]">{type.type}</code>
              </span>
            </label>
          </li>
        ))}
      </ul>
    </div>
  );
}

export function byCategory(types: EventType[], search: string): [string, EventType[]][] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const groups = new Map<string, EventType[]>();
  for (const type of types) {
    const text = `${type.type} ${type.title} ${type.category} ${type.summary} ${type.aliases.join(' ')}`.toLowerCase();
    if (!words.every((word) => text.includes(word))) continue;
    groups.set(type.category, [...(groups.get(type.category) ?? []), type]);
  }
  return [...groups];
}
