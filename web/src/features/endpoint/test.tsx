// A test send: choose, edit, send, and read both sides.

import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useEffect, useRef, useState, type Ref } from 'react';
import { json, type Attempt, type Endpoint, type EventType } from '~/api/client';
import { endpointQuery, eventTypesQuery } from '~/api/queries';
import { ownerOf, useSigned } from '~/app/session';
import { OUTCOMES, OutcomeBadge } from '~/ui/badge';
import { Button } from '~/ui/button';
import { Field } from '~/ui/field';
import { isJson } from '~/ui/json';
import { JsonEditor } from '~/ui/json-editor';
import { Loading, Note, ProblemNote } from '~/ui/notes';
import { Card } from '~/ui/page';
import { AttemptDetail } from '../deliveries/attempt';

const route = getRouteApi('/endpoints/$id/test');

type TestAttempt = Attempt & { deliveryId: string; eventId: string };

export function TestSend() {
  const { id } = route.useParams();
  const { mayManage } = useSigned();
  const endpoint = useQuery(endpointQuery(id));
  const types = useQuery(eventTypesQuery);
  if (!mayManage) return <Note title="Your session may only view">To send a test, sign in with a link that may manage.</Note>;
  if (types.error) return <ProblemNote error={types.error} retry={() => void types.refetch()} />;
  if (!endpoint.data || !types.data) return <Loading what="the event types" />;
  return <Sender key={id} endpoint={endpoint.data} types={types.data} />;
}

function Sender({ endpoint, types }: { endpoint: Endpoint; types: EventType[] }) {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const chosen = types.find(({ type }) => type === search.type) ?? types.find(({ type }) => endpoint.eventTypes.includes(type)) ?? types[0]!;
  const [edited, setEdited] = useState<{ type: string; text: string } | null>(null);
  const text = edited?.type === chosen.type ? edited.text : exampleFor(chosen, endpoint);
  const { send, sent } = useSend(endpoint.id, chosen.type, text);
  const result = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (send.data) result.current?.focus();
  }, [send.data]);
  const fault = isJson(text) ? null : 'this is no JSON yet: correct it where the editor marks it';
  return (
    <div className="flex flex-col gap-4">
      <Card>
        <div className="flex flex-col gap-4">
          <Field label="Event type" hint={chosen.summary}>
            {(tied) => (
              <select {...tied} className="input" value={chosen.type} onChange={(event) => void navigate({ search: { type: event.target.value }, replace: true })}>
                <TypeOptions types={types} subscribed={endpoint.eventTypes} />
              </select>
            )}
          </Field>
          <div className="flex flex-col gap-1">
            <div className="flex flex-wrap items-center justify-between gap-2">
              <p className="label">Payload</p>
              {edited?.type === chosen.type && (
                <Button small look="quiet" onClick={() => setEdited(null)}>
                  Back to the example
                </Button>
              )}
            </div>
            <JsonEditor label="Payload" value={text} onChange={(value) => setEdited({ type: chosen.type, text: value })} />
            {fault && <p className="text-sm text-bad" role="alert">{fault}</p>}
          </div>
          <div className="flex flex-wrap items-center justify-between gap-3">
            <p className="hint min-w-0 flex-1 basis-64">Sent now, signed like every delivery, never retried. It works on a disabled endpoint too.</p>
            <Button look="primary" icon="send" busy={send.isPending} disabled={fault !== null} onClick={() => send.mutate()}>
              {send.isPending ? 'Waiting for your receiver…' : 'Send test'}
            </Button>
          </div>
        </div>
      </Card>
      <ProblemNote error={send.error} />
      {send.data && <Result attempt={send.data} sent={sent} isStale={send.isPending} head={result} />}
    </div>
  );
}

function useSend(endpointId: string, type: string, text: string) {
  const client = useQueryClient();
  const [sent, setSent] = useState('');
  const send = useMutation({
    // As text: the receiver gets what stands in the editor, byte for byte.
    mutationFn: () =>
      json<TestAttempt>(`/v1/endpoints/${encodeURIComponent(endpointId)}/test`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: `{"type":${JSON.stringify(type)},"payload":${text}}`,
      }),
    onSuccess: () => {
      setSent(text);
      void client.invalidateQueries({ queryKey: ['/v1/deliveries'] });
      void client.invalidateQueries({ queryKey: ['stats', endpointId] });
    },
  });
  return { send, sent };
}

function Result({ attempt, sent, isStale, head }: { attempt: TestAttempt; sent: string; isStale: boolean; head: Ref<HTMLHeadingElement> }) {
  return (
    <section className="card overflow-clip" aria-busy={isStale}>
      <div className="flex flex-wrap items-center gap-3 px-4 py-3">
        <h2 ref={head} tabIndex={-1} className="font-semibold outline-none">
          {attempt.outcome === 'succeeded' ? 'Your receiver accepted it' : 'It failed'}
        </h2>
        <OutcomeBadge outcome={attempt.outcome} statusCode={attempt.statusCode} />
        <Link to="/deliveries/$id" params={{ id: attempt.deliveryId }} className="link ml-auto">
          In the log
        </Link>
      </div>
      <Hint attempt={attempt} />
      <AttemptDetail attempt={attempt} requestBody={sent} isTest />
    </section>
  );
}

function TypeOptions({ types, subscribed }: { types: EventType[]; subscribed: string[] }) {
  const isAll = subscribed.includes('*');
  const own = isAll ? [] : types.filter(({ type }) => subscribed.includes(type));
  const categories = [...new Set(types.map(({ category }) => category))];
  const option = ({ type, title }: EventType) => (
    <option key={type} value={type}>
      {type} — {title}
    </option>
  );
  return (
    <>
      {own.length > 0 && <optgroup label="Subscribed">{own.map(option)}</optgroup>}
      {categories.map((category) => (
        <optgroup key={category} label={category}>
          {types.filter((type) => type.category === category && !own.includes(type)).map(option)}
        </optgroup>
      ))}
    </>
  );
}

/** What usually helps, beside the API's sentence. */
function Hint({ attempt }: { attempt: Attempt }) {
  const { outcome, statusCode } = attempt;
  const { id } = route.useParams();
  const isRefusal = statusCode === 401 || statusCode === 403;
  const words = {
    succeeded: '',
    'http-error': 'Look at the response below: it is what your server said.',
    timeout: 'Answer 2xx first and do the work afterwards.',
    dns: 'Check the host name in the URL.',
    connect: 'Check that the server runs and that its port is open to this machine.',
    tls: 'Check the certificate: its name, its end, and its chain.',
    blocked: 'Use an address on the public Internet.',
    protocol: 'Check that an HTTP server listens on this port.',
  }[outcome];
  if (outcome === 'succeeded') return null;
  return (
    <p className="border-t border-line px-4 py-2 text-soft">
      {isRefusal ? (
        <>
          Your server refused it. If it checks signatures:{' '}
          <Link to="/endpoints/$id/signing" params={{ id }} hash="mismatch" className="link">
            find out why one does not match
          </Link>
          .
        </>
      ) : (
        <>
          {words}
          <span className="sr-only"> Outcome: {OUTCOMES[outcome].word}.</span>
        </>
      )}
    </p>
  );
}

/** The catalogue's example, with the owner's id where the type's scope looks for it. */
export function exampleFor(type: EventType, endpoint: Pick<Endpoint, 'locationId' | 'companyId' | 'appId'>): string {
  const owner = ownerOf(endpoint);
  const example: Record<string, unknown> = { ...type.example };
  const field = `${owner.kind}Id`;
  if (field in example && owner.kind === type.scope) example[field] = owner.id;
  return JSON.stringify(example, null, 2);
}
