// No endpoint yet: the three steps to the first delivery.

import type { ReactNode } from 'react';
import { useSigned } from '~/app/session';
import { CodeBlock } from '~/ui/code';

export function FirstSteps({ action }: { action: ReactNode }) {
  const { owner, mayManage } = useSigned();
  const ownerPart = owner.id ? `"${owner.kind}Id": "${owner.id}"` : '"locationId": "ve9EPM428h8vShlRW1KT"';
  const command = `curl -s ${location.origin}/v1/endpoints \\
  -H "authorization: Bearer $HOOPOE_API_KEY" -H 'content-type: application/json' \\
  -d '{${ownerPart}, "url": "https://hooks.example.com/webhooks", "eventTypes": ["ContactCreate"]}'`;
  return (
    <section className="card flex flex-col gap-5 p-6">
      <div>
        <h2 className="text-lg font-semibold">Three steps to the first delivery</h2>
        <p className="mt-1 text-soft">No endpoint is registered yet.</p>
      </div>
      <ol className="grid gap-4 md:grid-cols-3">
        {[
          ['Add an endpoint', 'The address of your server, and the events that it wants.'],
          ['Send a test', 'See the request and what your server answered, side by side.'],
          ['Verify signatures', 'With the secret, in eight languages. Then real events follow.'],
        ].map(([title, text], index) => (
          <li key={title} className="flex gap-3">
            <span className="flex size-6 shrink-0 items-center justify-center rounded-full bg-accent-soft text-sm font-semibold text-accent-ink">{index + 1}</span>
            <div>
              <p className="font-medium">{title}</p>
              <p className="text-soft">{text}</p>
            </div>
          </li>
        ))}
      </ol>
      {mayManage ? <div>{action}</div> : <p className="text-soft">Your session may only view: a link that may manage lets you add one.</p>}
      <div className="flex flex-col gap-2">
        <p className="hint">Or from a terminal, with an API key that may manage:</p>
        <CodeBlock label="Command that registers an endpoint" text={command} />
      </div>
    </section>
  );
}
