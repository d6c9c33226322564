// Every place of the console by its path. Pages come when they are first visited.

import { QueryClient } from '@tanstack/react-query';
import { createRootRouteWithContext, createRoute, createRouter, lazyRouteComponent, redirect } from '@tanstack/react-router';
import { isProblem } from '~/api/problem';
import { Loading, ProblemNote } from '~/ui/notes';
import { isEmbedded } from './embed';
import { Layout } from './layout';
import { NotFound } from './not-found';
import { searchOf } from './search';

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      refetchOnWindowFocus: true,
      retry: (failures, error) => failures < 2 && isProblem(error) && (error.status === 0 || error.status >= 502),
    },
  },
});

const root = createRootRouteWithContext<{ queryClient: QueryClient }>()({
  component: Layout,
  notFoundComponent: NotFound,
  beforeLoad: () => void isEmbedded(),
});

const at = <const P extends string>(path: P) => ({ getParentRoute: () => root, path });

const home = createRoute({
  ...at('/'),
  beforeLoad: () => {
    throw redirect({ to: '/endpoints' });
  },
});

const endpoints = createRoute({
  ...at('endpoints'),
  validateSearch: searchOf('q', 'health', 'owner', 'sort'),
  component: lazyRouteComponent(() => import('~/features/endpoints/list'), 'EndpointsPage'),
});
const newEndpoint = createRoute({
  ...at('endpoints/new'),
  validateSearch: searchOf('type', 'locationId', 'companyId', 'appId'),
  component: lazyRouteComponent(() => import('~/features/endpoints/new'), 'NewEndpointPage'),
});
const endpoint = createRoute({
  ...at('endpoints/$id'),
  component: lazyRouteComponent(() => import('~/features/endpoint/page'), 'EndpointPage'),
});
const under = <const P extends string>(path: P) => ({ getParentRoute: () => endpoint, path });
const overview = createRoute({
  ...under('/'),
  validateSearch: searchOf('window'),
  component: lazyRouteComponent(() => import('~/features/endpoint/overview'), 'Overview'),
});
const endpointDeliveries = createRoute({
  ...under('deliveries'),
  validateSearch: searchOf('status', 'type', 'since', 'live'),
  component: lazyRouteComponent(() => import('~/features/endpoint/deliveries'), 'EndpointDeliveries'),
});
const test = createRoute({
  ...under('test'),
  validateSearch: searchOf('type'),
  component: lazyRouteComponent(() => import('~/features/endpoint/test'), 'TestSend'),
});
const signing = createRoute({
  ...under('signing'),
  component: lazyRouteComponent(() => import('~/features/endpoint/signing'), 'Signing'),
});
const settings = createRoute({
  ...under('settings'),
  component: lazyRouteComponent(() => import('~/features/endpoint/settings'), 'Settings'),
});

const delivery = createRoute({
  ...at('deliveries/$id'),
  component: lazyRouteComponent(() => import('~/features/deliveries/page'), 'DeliveryPage'),
});
const events = createRoute({
  ...at('events'),
  validateSearch: searchOf('type', 'since', 'locationId', 'undelivered'),
  component: lazyRouteComponent(() => import('~/features/events/list'), 'EventsPage'),
});
const event = createRoute({
  ...at('events/$id'),
  component: lazyRouteComponent(() => import('~/features/events/page'), 'EventPage'),
});
const catalogue = createRoute({
  ...at('catalogue'),
  validateSearch: searchOf('q'),
  component: lazyRouteComponent(() => import('~/features/catalogue/list'), 'CataloguePage'),
});
const eventType = createRoute({
  ...at('catalogue/$type'),
  validateSearch: searchOf('language'),
  component: lazyRouteComponent(() => import('~/features/catalogue/page'), 'EventTypePage'),
});
const apiKeys = createRoute({
  ...at('api-keys'),
  validateSearch: searchOf('q'),
  component: lazyRouteComponent(() => import('~/features/keys/page'), 'ApiKeysPage'),
});
const audit = createRoute({
  ...at('audit'),
  validateSearch: searchOf('action', 'objectId', 'since', 'locationId', 'companyId', 'appId'),
  component: lazyRouteComponent(() => import('~/features/audit/page'), 'AuditPage'),
});
const apps = createRoute({
  ...at('apps'),
  component: lazyRouteComponent(() => import('~/features/apps/list'), 'AppsPage'),
});
const app = createRoute({
  ...at('apps/$id'),
  component: lazyRouteComponent(() => import('~/features/apps/app'), 'AppPage'),
});
const locations = createRoute({
  ...at('locations'),
  component: lazyRouteComponent(() => import('~/features/apps/locations'), 'LocationsPage'),
});
const locationPage = createRoute({
  ...at('locations/$id'),
  component: lazyRouteComponent(() => import('~/features/apps/location'), 'LocationPage'),
});
const sessions = createRoute({
  ...at('sessions'),
  component: lazyRouteComponent(() => import('~/features/sessions/page'), 'SessionsPage'),
});
const system = createRoute({
  ...at('system'),
  component: lazyRouteComponent(() => import('~/features/system/page'), 'SystemPage'),
});

const tree = root.addChildren([
  home,
  endpoints,
  newEndpoint,
  endpoint.addChildren([overview, endpointDeliveries, test, signing, settings]),
  delivery,
  events,
  event,
  catalogue,
  eventType,
  apiKeys,
  audit,
  apps,
  app,
  locations,
  locationPage,
  sessions,
  system,
]);

export const router = createRouter({
  routeTree: tree,
  context: { queryClient },
  defaultPreload: 'intent',
  scrollRestoration: false,
  defaultPendingComponent: () => <Loading what="the page" />,
  defaultErrorComponent: ({ error, reset }) => <ProblemNote error={error} retry={reset} />,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
