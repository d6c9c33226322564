import { Lookup } from './lookup';

const COMMAND = () => `curl -s -X PUT ${location.origin}/v1/locations/ve9EPM428h8vShlRW1KT -H "authorization: Bearer $HOOPOE_API_KEY" \\
  -H 'content-type: application/json' -d '{"name": "Main Street", "companyId": "5DP4iH6HLkQsiKESj6rh"}'`;

export function LocationsPage() {
  return (
    <Lookup
      title="Locations"
      noun="location"
      icon="place"
      intro="Locations and the company that each is registered under. Publishing to a location that was never registered works too."
      to="/locations/$id"
      action="location.put"
      command={COMMAND()}
    />
  );
}
