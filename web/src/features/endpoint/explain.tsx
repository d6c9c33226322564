// Paste what arrived: the server says whether the signatures hold, and if not, what was done wrong.

import { useMutation } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { explainSignature, isMissingRoute, type SignatureVerdict } from '~/api/live';
import { sentence } from '~/api/problem';
import { Badge } from '~/ui/badge';
import { Button } from '~/ui/button';
import { CodeBlock, Stranger } from '~/ui/code';
import { Field } from '~/ui/field';
import { Note, ProblemNote } from '~/ui/notes';
import { Card } from '~/ui/page';

const NAMES = ['webhook-id', 'webhook-timestamp', 'webhook-signature', 'x-wl-signature'] as const;

export function Explain({ endpointId }: { endpointId: string }) {
  const [body, setBody] = useState('');
  const [headers, setHeaders] = useState<Record<string, string>>({});
  const [secret, setSecret] = useState('');
  const explain = useMutation({
    mutationFn: () => {
      const given = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== ''));
      return explainSignature({ body, headers: given, ...(secret.trim() ? { secret } : { endpointId }) });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    explain.mutate();
  };
  return (
    <div id="mismatch">
      <Card title="A signature does not match?">
        <form onSubmit={submit} className="flex flex-col gap-4">
          <p className="max-w-3xl text-soft">Paste the body as your receiver got it, and the headers that came with it. The usual mistakes are tried one after the other and together.</p>
          <Field label="Body">
            {(tied) => <textarea {...tied} className="input mono min-h-28" spellCheck={false} value={body} onChange={(event) => setBody(event.target.value)} />}
          </Field>
          <div className="grid gap-4 sm:grid-cols-2">
            {NAMES.map((name) => (
              <Field key={name} label={name} optional>
                {(tied) => (
                  <input
                    {...tied}
                    className="input mono"
                    spellCheck={false}
                    autoComplete="off"
                    value={headers[name] ?? ''}
                    onChange={(event) => setHeaders({ ...headers, [name]: event.target.value })}
                  />
                )}
              </Field>
            ))}
          </div>
          <Field label="Secret that your receiver uses" optional hint="Left empty, this endpoint's own is taken.">
            {(tied) => <input {...tied} type="password" className="input mono" spellCheck={false} autoComplete="off" value={secret} onChange={(event) => setSecret(event.target.value)} />}
          </Field>
          <div>
            <Button type="submit" look="primary" busy={explain.isPending}>
              Explain
            </Button>
          </div>
        </form>
        <Findings report={explain.data} error={explain.error} />
      </Card>
    </div>
  );
}

function Findings({ report, error }: { report: SignatureVerdict | undefined; error: unknown }) {
  return (
    <div className="mt-4 flex flex-col gap-2 empty:mt-0" aria-live="polite">
      {isMissingRoute(error) ? (
        <Note title="This server cannot explain signatures yet">
          <p className="mb-2">The command line can:</p>
          <CodeBlock label="Command that explains a signature" text={`hoopoe verify --secret "$WEBHOOK_SECRET" --signature "$SIGNATURE" < body.json`} />
        </Note>
      ) : (
        <ProblemNote error={error} />
      )}
      {report?.signatures.map((finding) => (
        <Note
          key={finding.header}
          tone={finding.valid ? 'ok' : 'bad'}
          title={
            <span className="flex flex-wrap items-center gap-2">
              <code>{finding.header}</code>
              <Badge tone={finding.valid ? 'ok' : 'bad'} icon={finding.valid ? 'check' : 'cross'}>
                {finding.valid ? 'Matches' : 'Does not match'}
              </Badge>
            </span>
          }
        >
          <Stranger text={sentence(finding.explanation)} />
        </Note>
      ))}
      {report?.signatures.length === 0 && <Note tone="bad" title="No signature was given">Paste webhook-signature or x-wl-signature.</Note>}
    </div>
  );
}
