// Nobody is signed in: says how, and takes a link that was copied.

import { useState, type FormEvent } from 'react';
import { useBrand } from '~/app/session';
import { Button } from '~/ui/button';
import { CodeBlock } from '~/ui/code';
import { Faults } from '~/ui/field';

export function SignIn() {
  const brand = useBrand();
  const name = brand?.name ?? 'Hoopoe';
  return (
    <main className="mx-auto flex max-w-xl flex-col gap-5 px-4 py-12">
      <header>
        {brand?.logo && <img src={brand.logo} alt="" className="mb-4 h-8 w-auto" />}
        <h1 className="text-xl font-semibold">You are not signed in</h1>
        <p className="mt-1 text-soft">{name} signs you in with a link that works once and for a minute. There is no password.</p>
      </header>
      <section className="card flex flex-col gap-3 p-5">
        <h2 className="font-semibold">Paste your login link</h2>
        <LinkForm />
      </section>
      <section className="card flex flex-col gap-3 p-5">
        <h2 className="font-semibold">Where does a link come from?</h2>
        <dl className="flex flex-col gap-3 text-soft">
          <div>
            <dt className="font-medium text-ink">You came from the CRM</dt>
            <dd>Open Settings › Integrations › Webhooks there again: it makes a new link for you.</dd>
          </div>
          <div>
            <dt className="font-medium text-ink">You operate this server</dt>
            <dd className="mt-1 flex flex-col gap-2">
              <span>Its start prints a link. For another one, with a platform key that may manage:</span>
              <CodeBlock label="Command that prints a login link" text={`export HOOPOE_API_KEY=hpk_…\nhoopoe login-link --url ${location.origin}`} />
            </dd>
          </div>
        </dl>
      </section>
      <p className="hint">
        The API and every error are explained at{' '}
        <a className="link" href="/docs">
          /docs
        </a>
        .
      </p>
    </main>
  );
}

function LinkForm() {
  const [link, setLink] = useState('');
  const [fault, setFault] = useState<string[]>([]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const code = codeOf(link);
    if (code) return location.assign(`/login?code=${code}`);
    setFault(['this is no login link: it ends with /login?code=hpc_… and has to be copied whole']);
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-2" noValidate>
      <div className="flex flex-wrap gap-2">
        <input
          aria-label="Login link"
          aria-invalid={fault.length > 0 || undefined}
          autoComplete="off"
          spellCheck={false}
          className="input flex-1 basis-56"
          placeholder={`${location.origin}/login?code=hpc_…`}
          value={link}
          onChange={(event) => {
            setLink(event.target.value);
            setFault([]);
          }}
        />
        <Button type="submit" look="primary">
          Sign in
        </Button>
      </div>
      <Faults faults={fault} />
    </form>
  );
}

/** Only the code is taken, never the host: a pasted link must not lead away. */
export function codeOf(link: string): string | null {
  return /(?:[?&]code=|^\s*)(hpc_[0-9A-Za-z]{8,120})\s*$/.exec(link)?.[1] ?? null;
}
