import { Lookup } from './lookup';

const COMMAND = () => `curl -s -X PUT ${location.origin}/v1/apps/my-app -H "authorization: Bearer $HOOPOE_API_KEY" \\
  -H 'content-type: application/json' -d '{"name": "My app", "scopes": ["contacts.readonly"]}'`;

export function AppsPage() {
  return (
    <Lookup
      title="Apps & installs"
      noun="app"
      icon="apps"
      intro="Marketplace apps, the OAuth scopes that they hold, and where they are installed."
      to="/apps/$id"
      action="app.put"
      command={COMMAND()}
    />
  );
}
