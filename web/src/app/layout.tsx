// The frame: navigation by permission, the trail, the banner of a server for local work. `?embed=1` leaves the frame to the parent.

import { Link, Outlet, useRouterState } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { Icon, type IconName } from '~/ui/icon';
import { IconButton } from '~/ui/button';
import { Stranger } from '~/ui/code';
import { Toasts } from '~/ui/toast';
import { applyAccent } from './brand';
import { isEmbedded } from './embed';
import { SignOut } from '~/features/sessions/end';
import { OWNER_WORDS, useBrand, useSigned, type Signed } from './session';

interface Place {
  to: string;
  label: string;
  icon: IconName;
}

export function placesFor({ owner, mayManage, mayView }: Signed): Place[] {
  const isPlatform = owner.kind === 'platform';
  const places: (Place | false)[] = [
    mayView && { to: '/endpoints', label: 'Endpoints', icon: 'endpoint' },
    mayView && { to: '/events', label: 'Events', icon: 'events' },
    { to: '/catalogue', label: 'Event catalogue', icon: 'catalogue' },
    mayView && { to: '/api-keys', label: 'API keys', icon: 'key' },
    mayView && isPlatform && { to: '/apps', label: 'Apps & installs', icon: 'apps' },
    mayView && isPlatform && { to: '/locations', label: 'Locations', icon: 'place' },
    mayView && { to: '/sessions', label: 'Sessions', icon: 'people' },
    mayManage && { to: '/audit', label: 'Audit', icon: 'audit' },
    mayView && isPlatform && { to: '/system', label: 'System', icon: 'system' },
  ];
  return places.filter((place): place is Place => place !== false);
}

export function Layout() {
  const brand = useBrand();
  useEffect(() => applyAccent(brand?.colors.accent ?? null, document.documentElement), [brand]);
  const embedded = isEmbedded();
  return (
    <div className="min-h-dvh">
      <a href="#content" className="sr-only focus:not-sr-only focus:fixed focus:top-2 focus:left-2 focus:z-50 focus:rounded-md focus:bg-raised focus:px-3 focus:py-2">
        Skip to the content
      </a>
      {embedded ? <EmbeddedNavigation /> : <Frame />}
      <div className={embedded ? '' : 'lg:pl-56'}>
        {brand?.dev && (
          <aside aria-label="Dev mode" className="flex items-center gap-2 bg-warn-soft px-4 py-1.5 text-sm text-warn lg:px-8">
            <Icon name="alert" />
            <span>
              <strong>Dev mode.</strong> http and private addresses are allowed as receivers. Never expose this server.
            </span>
          </aside>
        )}
        <main id="content" tabIndex={-1} className="mx-auto max-w-6xl px-4 py-5 outline-none lg:px-8">
          <Outlet />
        </main>
      </div>
      <Toasts />
    </div>
  );
}

function Frame() {
  const brand = useBrand();
  const [open, setOpen] = useState(false);
  const path = useRouterState({ select: (state) => state.location.pathname });
  const [shownFor, setShownFor] = useState(path);
  if (shownFor !== path) {
    setShownFor(path);
    setOpen(false);
  }
  return (
    <header className="contents">
      <div className="sticky top-0 z-30 flex h-12 items-center justify-between border-b border-line bg-surface pr-2 pl-4 lg:hidden">
        <Brand name={brand?.name ?? 'Hoopoe'} logo={brand?.logo ?? null} />
        <IconButton icon={open ? 'cross' : 'menu'} label={open ? 'Close the navigation' : 'Open the navigation'} aria-expanded={open} onClick={() => setOpen(!open)} />
      </div>
      <div
        className={`fixed inset-y-0 left-0 z-20 w-56 flex-col overflow-y-auto border-r border-line bg-surface max-lg:w-full max-lg:border-0 max-lg:pt-12 lg:flex ${open ? 'flex' : 'hidden'}`}
      >
        <div className="px-4 pt-5 pb-3 max-lg:hidden">
          <Brand name={brand?.name ?? 'Hoopoe'} logo={brand?.logo ?? null} />
        </div>
        <nav aria-label="Console" className="flex flex-1 flex-col gap-0.5 px-2 py-2">
          <PlaceLinks />
        </nav>
        <Who />
      </div>
    </header>
  );
}

function Brand({ name, logo }: { name: string; logo: string | null }) {
  return (
    <Link to="/" className="flex min-w-0 items-center gap-2 font-semibold">
      {logo ? (
        <img src={logo} alt="" className="h-6 w-auto max-w-28" />
      ) : (
        <svg viewBox="0 0 24 24" className="size-6 shrink-0" aria-hidden="true">
          <rect width="24" height="24" rx="6" fill="var(--accent)" />
          <path
            d="M6.5 15.5c3.6 0 5.4-1.4 6.2-4.2M12.7 11.3 18 9.6M12.7 11.3C12 8.6 10.4 6.9 8 6.2M12.9 10.6c.4-2.1.1-4-1-5.6M13.3 10.6c1.3-1.3 2-2.9 2-4.8"
            fill="none"
            stroke="var(--on-accent)"
            strokeWidth="1.7"
            strokeLinecap="round"
          />
        </svg>
      )}
      <span className="truncate">{name}</span>
    </Link>
  );
}

function PlaceLinks() {
  const signed = useSigned();
  // A delivery is read on the way from its endpoint.
  const isDelivery = useRouterState({ select: (state) => state.location.pathname.startsWith('/deliveries/') });
  return placesFor(signed).map(({ to, label, icon }) => (
    <Link
      key={to}
      to={to}
      className={`${isDelivery && to === '/endpoints' ? 'active' : ''} flex h-8 items-center gap-2.5 rounded-md px-2.5 font-medium whitespace-nowrap text-soft hover:bg-sunk hover:text-ink max-lg:h-10 [&.active]:bg-accent-soft [&.active]:text-accent-ink`}
    >
      <Icon name={icon} />
      {label}
    </Link>
  ));
}

function EmbeddedNavigation() {
  return (
    <nav aria-label="Console" className="sticky top-0 z-20 flex gap-1 overflow-x-auto border-b border-line bg-surface px-3 py-1.5">
      <PlaceLinks />
    </nav>
  );
}

function Who() {
  const { owner, mayManage, session } = useSigned();
  return (
    <div className="border-t border-line px-4 py-3 text-xs text-soft">
      <p className="font-semibold text-ink">{owner.kind === 'platform' ? 'Operator' : OWNER_WORDS[owner.kind]}</p>
      {owner.id && (
        <p className="mono truncate text-xs">
          <Stranger text={owner.id} />
        </p>
      )}
      <p>{mayManage ? 'May view and manage' : 'View only'}</p>
      <div className="mt-2 flex items-center justify-between gap-3">
        <a className="link" href="/docs">
          API reference
        </a>
        <SignOut id={session.id} look="quiet" />
      </div>
    </div>
  );
}

export function Trail({ here, up = [] }: { here: string; up?: { to: string; label: string }[] }) {
  return (
    <nav aria-label="Breadcrumb" className={up.length === 0 ? 'max-sm:hidden' : undefined}>
      {/* On a phone the way up in one line, without the page's own name: that is its heading. */}
      <ol className="flex items-center gap-x-1 text-sm whitespace-nowrap text-soft">
        {['Settings', 'Integrations'].map((label) => (
          <li key={label} className="flex items-center gap-1 max-sm:hidden">
            {label} <Step />
          </li>
        ))}
        <li>
          <Link to="/" className="hover:text-ink hover:underline">
            Webhooks
          </Link>
        </li>
        {up.map(({ to, label }) => (
          <li key={to} className="flex items-center gap-1 not-nth-last-2:shrink-0 nth-last-2:min-w-0">
            <Step />
            <Link to={to} className="max-w-64 truncate hover:text-ink hover:underline">
              {label}
            </Link>
          </li>
        ))}
        <li aria-current="page" className="flex min-w-0 items-center gap-1 text-ink max-sm:hidden">
          <Step />
          <span className="max-w-72 truncate">{here}</span>
        </li>
      </ol>
    </nav>
  );
}

function Step() {
  return <Icon name="right" className="size-3 text-faint" />;
}
