import { useState } from 'react';
import page from '../../../../docs/receivers/authentication.md?raw';
import { CodeBlock } from '~/ui/code';
import { Tablist } from '~/ui/tablist';
import { receiversOf } from './receivers';

const RECEIVERS = receiversOf(page);
const KEPT = 'hoopoe-language';

export default function Snippets() {
  const [language, setLanguage] = useState(() => remembered() ?? RECEIVERS[0]?.language ?? '');
  const receiver = RECEIVERS.find((known) => known.language === language) ?? RECEIVERS[0];
  if (!receiver) return null;
  const choose = (next: string) => {
    setLanguage(next);
    remember(next);
  };
  return (
    <div className="flex flex-col gap-3">
      <p className="max-w-3xl text-soft">
        Complete programs: they check <code>webhook-signature</code> under <code>/hooks/standard</code> and <code>x-wl-signature</code> under <code>/hooks/x-wl</code>. Keep the one that your endpoint&rsquo;s URL names.
      </p>
      <Tablist label="Language" options={RECEIVERS.map((known) => known.language)} value={receiver.language} onChange={choose}>
        <div className="flex flex-col gap-2">
          <p className="hint">{receiver.intro}</p>
          {receiver.run && <CodeBlock label="Command that starts it" text={`WEBHOOK_SECRET='whsec_…' ${receiver.run}`} />}
          <CodeBlock label={`Receiver for ${receiver.language}`} text={receiver.code} tall />
        </div>
      </Tablist>
    </div>
  );
}

function remembered(): string | null {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

function remember(language: string) {
  try {
    localStorage.setItem(KEPT, language);
  } catch {
    // A browser that keeps nothing: the next visit begins with the first language.
  }
}
