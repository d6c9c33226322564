// A page that opens something by its id, and shows what was registered lately.

import { Link, useNavigate } from '@tanstack/react-router';
import { useState, type FormEvent, type ReactNode } from 'react';
import { Trail } from '~/app/layout';
import { useSigned } from '~/app/session';
import { Button } from '~/ui/button';
import { CodeBlock, Stranger } from '~/ui/code';
import { Faults } from '~/ui/field';
import { Icon, type IconName } from '~/ui/icon';
import { Empty, Loading, ProblemNote } from '~/ui/notes';
import { Card, Page } from '~/ui/page';
import { Time } from '~/ui/time';
import { useKnown } from './known';

interface LookupProps {
  title: string;
  noun: 'app' | 'location';
  icon: IconName;
  intro: ReactNode;
  to: '/apps/$id' | '/locations/$id';
  action: 'app.put' | 'location.put';
  command: string;
}

export function Lookup({ title, noun, icon, intro, to, action, command }: LookupProps) {
  const { mayManage } = useSigned();
  const { known, error, isPending, hasNextPage, isFetchingNextPage, fetchNextPage } = useKnown(action, mayManage);
  return (
    <Page title={title} top={<Trail here={title} />} intro={intro}>
      <Card title={mayManage ? `Open or register ${article(noun)}` : `Open ${article(noun)}`}>
        <OpenForm noun={noun} to={to} />
      </Card>
      <ProblemNote error={error} />
      {mayManage && (
        <Card title="Registered lately" padded={false}>
          {isPending && <Loading what="the audit log" />}
          {!isPending && known.length === 0 && (
            <Empty icon={icon} title="None in the audit log">
              <CodeBlock label={`Command that registers ${article(noun)}`} text={command} />
            </Empty>
          )}
          <ul>
            {known.map((entry) => (
              <li key={entry.id}>
                <Link to={to} params={{ id: entry.id }} className="flex flex-wrap items-center gap-x-3 gap-y-1 border-b border-line px-4 py-2.5 -outline-offset-2 hover:bg-sunk">
                  <Icon name={icon} className="text-soft" />
                  <span className="min-w-0 flex-1 basis-48">
                    <span className="font-medium">{entry.name ? <Stranger text={entry.name} /> : entry.id}</span>{' '}
                    {entry.name && <code className="text-xs text-soft [overflow-wrap:anywhere]">{entry.id}</code>}
                  </span>
                  <span className="text-sm text-soft">
                    <Time at={entry.at} />
                  </span>
                </Link>
              </li>
            ))}
          </ul>
          {hasNextPage && (
            <p className="p-2 text-center">
              <Button small look="quiet" busy={isFetchingNextPage} onClick={() => void fetchNextPage()}>
                Look further back
              </Button>
            </p>
          )}
        </Card>
      )}
    </Page>
  );
}

export const article = (noun: string) => `${/^[aeiou]/.test(noun) ? 'an' : 'a'} ${noun}`;

function OpenForm({ noun, to }: Pick<LookupProps, 'noun' | 'to'>) {
  const navigate = useNavigate();
  const [id, setId] = useState('');
  const [fault, setFault] = useState<string[]>([]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (/^[A-Za-z0-9_-]{1,64}$/.test(id)) return void navigate({ to, params: { id } });
    setFault(['must be 1 to 64 characters of A-Z, a-z, 0-9, `_` and `-`']);
  };
  return (
    <form onSubmit={submit} noValidate className="flex flex-col gap-2">
      <div className="flex gap-2">
        <input
          aria-label={`Id of the ${noun}`}
          aria-invalid={fault.length > 0 || undefined}
          className="input mono max-w-96"
          placeholder={`Id of the ${noun}`}
          spellCheck={false}
          autoComplete="off"
          value={id}
          onChange={(event) => {
            setId(event.target.value.trim());
            setFault([]);
          }}
        />
        <Button type="submit">Open</Button>
      </div>
      <Faults faults={fault} />
    </form>
  );
}
