// One stroke, one grid of 16: decoration beside words, never instead of them.

const PATHS = {
  check: 'M3.5 8.5l3 3 6-7',
  cross: 'M4 4l8 8M12 4l-8 8',
  alert: 'M8 2.5 14 13H2zM8 6.5v3M8 11.2v.1',
  clock: 'M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11M8 5v3.2l2 1.3',
  pause: 'M5.5 4v8M10.5 4v8',
  retry: 'M13 8a5 5 0 1 1-1.6-3.7M13 2.5V5h-2.5',
  send: 'M2.5 8 13.5 3 10 13 7.5 9z',
  plus: 'M8 3v10M3 8h10',
  search: 'M7 2.8a4.2 4.2 0 1 0 0 8.4 4.2 4.2 0 0 0 0-8.4M10.2 10.2 13.2 13.2',
  copy: 'M5.5 5.5h7v7h-7zM3.5 10.5v-7h7',
  down: 'M4 6l4 4 4-4',
  right: 'M6 4l4 4-4 4',
  up: 'M4 10l4-4 4 4',
  menu: 'M2.5 4.5h11M2.5 8h11M2.5 11.5h11',
  more: 'M3.5 8h.01M8 8h.01M12.5 8h.01',
  external: 'M9 3h4v4M13 3 7.5 8.5M11 9.5V13H3V5h3.5',
  endpoint: 'M2.5 8h4M6.5 8a3 3 0 0 1 3-3h1M6.5 8a3 3 0 0 0 3 3h1M12 3.8v2.4M12 9.8v2.4',
  events: 'M3 4h10M3 8h10M3 12h6',
  catalogue: 'M3.5 2.5h7a2 2 0 0 1 2 2v9h-7a2 2 0 0 1-2-2zM5.8 6h4M5.8 9h4',
  key: 'M10 3a3 3 0 1 0 0 6 3 3 0 0 0 0-6M7.8 8.2 3 13M4.8 11.2 6.5 13',
  audit: 'M4 2.5h6l2.5 2.5v8.5h-8.5zM6 7h4.5M6 10h4.5',
  apps: 'M3 3h4v4H3zM9 3h4v4H9zM3 9h4v4H3zM9 9h4v4H9z',
  people: 'M8 3a2.3 2.3 0 1 0 0 4.6A2.3 2.3 0 0 0 8 3M3.5 13c.4-2.6 2.2-4 4.5-4s4.1 1.4 4.5 4',
  system: 'M2.5 10.5 5.5 6l2.5 4 2-6 3.5 7',
  place: 'M8 13.5S12.5 10 12.5 6.6a4.5 4.5 0 0 0-9 0C3.5 10 8 13.5 8 13.5M8 5.2v2.6',
  eye: 'M1.8 8S4 3.8 8 3.8 14.2 8 14.2 8 12 12.2 8 12.2 1.8 8 1.8 8M8 6.3a1.7 1.7 0 1 0 0 3.4 1.7 1.7 0 0 0 0-3.4',
  trash: 'M3 4.5h10M6 4.5V3h4v1.5M4.5 4.5l.6 8.5h5.8l.6-8.5',
  edit: 'M3 13l.7-2.8L10.5 3.4l2.1 2.1-6.8 6.8z',
  info: 'M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11M8 7.2v3.6M8 5.2v.1',
  book: 'M3 3.5h4a1 1 0 0 1 1 1v8.5a1 1 0 0 0-1-1H3zM13 3.5H9a1 1 0 0 0-1 1v8.5a1 1 0 0 1 1-1h4z',
  block: 'M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11M4.2 4.2l7.6 7.6',
  filter: 'M2.5 4h11M4.5 8h7M6.5 12h3',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, className = '' }: { name: IconName; className?: string }) {
  return (
    <svg viewBox="0 0 16 16" className={`size-4 shrink-0 ${className}`} aria-hidden="true" focusable="false">
      <path d={PATHS[name]} fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  );
}

export function Spinner({ className = '' }: { className?: string }) {
  return (
    <svg viewBox="0 0 16 16" className={`size-4 shrink-0 animate-[turn_0.9s_linear_infinite] ${className}`} aria-hidden="true">
      <circle cx="8" cy="8" r="5.5" fill="none" stroke="currentColor" strokeOpacity="0.25" strokeWidth="2" />
      <path d="M8 2.5A5.5 5.5 0 0 1 13.5 8" fill="none" stroke="currentColor" strokeWidth="2" strokeLinecap="round" />
    </svg>
  );
}
