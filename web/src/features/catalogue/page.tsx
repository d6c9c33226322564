// One event type: when it comes, what it holds, and what to write for it.

import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useMemo } from 'react';
import type { EventType } from '~/api/client';
import { eventTypesQuery } from '~/api/queries';
import { Trail } from '~/app/layout';
import { useSigned } from '~/app/session';
import { CodeBlock } from '~/ui/code';
import { Empty, Loading, ProblemNote } from '~/ui/notes';
import { Card, Facts, Page } from '~/ui/page';
import { ButtonLink } from '~/ui/button';
import { Tablist } from '~/ui/tablist';
import { fieldRows, type FieldRow } from './fields';
import { SendThis } from './send-this';
import { LANGUAGES, type Language } from './types';
import type { Schema } from './types/model';

const route = getRouteApi('/catalogue/$type');

export function EventTypePage() {
  const params = route.useParams();
  const { data, error, isPending, refetch } = useQuery(eventTypesQuery);
  if (isPending) return <Loading what="the event type" />;
  if (!data) return <ProblemNote error={error} retry={() => void refetch()} />;
  const type = data.find((known) => known.type === params.type || known.aliases.includes(params.type));
  if (!type) {
    return (
      <Page title={params.type} top={<Trail here={params.type} up={[{ to: '/catalogue', label: 'Event catalogue' }]} />}>
        <Empty icon="search" title="There is no such event type" action={<ButtonLink to="/catalogue">See all types</ButtonLink>} />
      </Page>
    );
  }
  return <EventTypeView type={type} />;
}

const SCOPE_WORDS = {
  location: 'The location named by locationId, its company, and apps installed in either',
  company: 'The company named by companyId, and apps installed there',
  app: 'The app named by appId',
} as const;

function EventTypeView({ type }: { type: EventType }) {
  const { mayManage, mayView } = useSigned();
  const schema = type.schema as Schema;
  const rows = useMemo(() => fieldRows(schema), [schema]);
  return (
    <Page
      title={type.title}
      top={<Trail here={type.type} up={[{ to: '/catalogue', label: 'Event catalogue' }]} />}
      intro={type.summary}
      actions={
        <>
          {mayView && (
            <ButtonLink to="/events" search={{ type: type.type }} icon="events">
              Its events
            </ButtonLink>
          )}
          {mayManage && <SendThis type={type} />}
        </>
      }
    >
      <Card>
        <Facts
          rows={[
            ['Name', <code key="name">{type.type}</code>],
            ['Category', type.category],
            ['Goes to', SCOPE_WORDS[type.scope]],
            ['An app needs', type.oauthScope ? <code key="scope">{type.oauthScope}</code> : 'No OAuth scope'],
            type.aliases.length > 0 && ['Also accepted as', <code key="aliases">{type.aliases.join(', ')}</code>],
            !!type.notes && ['Good to know', <Marked key="notes" text={type.notes} />],
          ]}
        />
      </Card>
      <Card title="Fields" padded={false}>
        <Fields rows={rows} />
      </Card>
      <Types type={type} schema={schema} />
      <div className="grid gap-4 xl:grid-cols-2">
        <Card title="Example">
          <CodeBlock label="Example" text={JSON.stringify(type.example, null, 2)} tall />
        </Card>
        <Card title="JSON Schema">
          <CodeBlock label="JSON Schema" text={JSON.stringify(type.schema, null, 2)} tall />
        </Card>
      </div>
    </Page>
  );
}

/** Of Markdown only what the catalogue uses: words in backquotes. */
function Marked({ text }: { text: string }) {
  return <>{text.split('`').map((part, index) => (index % 2 ? <code key={index}>{part}</code> : part))}</>;
}

function Fields({ rows }: { rows: FieldRow[] }) {
  return (
    <>
      <table role="table" aria-label="Fields" className="grid-table">
        <thead role="rowgroup">
          <tr role="row">
            <th role="columnheader" scope="col">Field</th>
            <th role="columnheader" scope="col">Type</th>
            <th role="columnheader" scope="col">Meaning</th>
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map((row) => (
            <tr role="row" key={row.path} id={`field-${row.path}`}>
              <td role="cell" className="align-top">
                <span className="flex flex-wrap items-baseline gap-x-2" style={{ paddingLeft: `${row.depth}rem` }}>
                  <code className="font-medium [overflow-wrap:anywhere]" title={row.path}>
                    {row.name}
                  </code>
                  {row.required && <span className="text-xs text-warn">required</span>}
                </span>
              </td>
              <td role="cell" className="align-top text-sm text-soft">{row.type}</td>
              <td role="cell" className="on-phone-full align-top text-soft">
                {row.about}
                {row.words.length > 0 && (
                  <span className="mt-1 flex flex-wrap gap-1">
                    {row.words.map((word) => (
                      <code key={word} className="rounded bg-sunk px-1.5 text-xs">
                        {word}
                      </code>
                    ))}
                  </span>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <p className="hint border-t border-line px-4 py-2">Fields that are not listed may be there; ignore those that you do not know.</p>
    </>
  );
}

function Types({ type, schema }: { type: EventType; schema: Schema }) {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const names = Object.keys(LANGUAGES) as Language[];
  const language = names.find((name) => name === search.language) ?? 'TypeScript';
  const text = useMemo(() => LANGUAGES[language](type.type, schema), [language, type, schema]);
  return (
    <Card title="Types for your language">
      <Tablist label="Language" options={names} value={language} onChange={(next) => void navigate({ search: { language: next }, replace: true, resetScroll: false })}>
        <CodeBlock label={`Types for ${language}`} text={text} tall />
      </Tablist>
    </Card>
  );
}
