// Tabs within a card, by the arrow keys too. Radix keeps their roles and their focus.

import { Tabs } from 'radix-ui';
import type { ReactNode } from 'react';

export function Tablist({ label, options, value, onChange, children }: {
  label: string;
  options: string[];
  value: string;
  onChange: (value: string) => void;
  children: ReactNode;
}) {
  return (
    <Tabs.Root value={value} onValueChange={onChange} className="flex min-w-0 flex-col gap-3">
      <Tabs.List aria-label={label} className="flex gap-1 overflow-x-auto border-b border-line">
        {options.map((option) => (
          <Tabs.Trigger
            key={option}
            value={option}
            className="-mb-px h-9 border-b-2 border-transparent px-2.5 text-sm font-medium whitespace-nowrap text-soft -outline-offset-2 hover:text-ink data-[state=active]:border-accent data-[state=active]:text-ink"
          >
            {option}
          </Tabs.Trigger>
        ))}
      </Tabs.List>
      <Tabs.Content value={value} tabIndex={-1} className="min-w-0">
        {children}
      </Tabs.Content>
    </Tabs.Root>
  );
}
