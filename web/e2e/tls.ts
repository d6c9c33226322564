// Another site: a name of its own with a certificate made at this moment, before a server that speaks plain http.

import { execFileSync } from 'node:child_process';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { passOn } from './dist';
import type { Stop } from './hoopoe';

export interface Site {
  origin: string;
  /** From now on it is this server's. */
  lead: (server: string) => void;
}

/** `host` is below .example: the browser of the stories looks for those here. */
export async function site(host: string, stops: Stop[]): Promise<Site> {
  let server = '';
  const pem = certificate(host);
  const front = https.createServer({ key: pem, cert: pem }, (request, response) => passOn(server, request, response));
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  stops.push(async () => {
    front.close();
    front.closeAllConnections();
  });
  const lead = (to: string) => {
    server = to;
  };
  return { origin: `https://${host}:${(front.address() as AddressInfo).port}`, lead };
}

/** Key and certificate, one after the other. */
function certificate(host: string): string {
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'];
  return execFileSync('openssl', ['req', '-x509', ...kind, '-subj', `/CN=${host}`, '-addext', `subjectAltName=DNS:${host}`, '-keyout', '-', '-out', '-'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}
