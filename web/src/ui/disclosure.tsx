// What is shown when it is wished.

import type { ReactNode } from 'react';
import { Icon } from './icon';

export function Disclosure({ head, open = false, className = '', headClassName = '', children }: {
  head: ReactNode;
  open?: boolean;
  className?: string;
  headClassName?: string;
  children: ReactNode;
}) {
  return (
    <details className={`group/details ${className}`} open={open || undefined}>
      <summary className={`flex w-fit items-center gap-1.5 ${headClassName}`}>
        <Icon name="right" className="-ml-0.5 size-3 text-soft group-open/details:rotate-90" />
        {head}
      </summary>
      {children}
    </details>
  );
}
