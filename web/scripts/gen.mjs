// Writes src/api/schema.d.ts from the server's own OpenAPI document; with --check only says whether it is stale.
import { readFile, writeFile } from 'node:fs/promises';
import openapiTS, { astToString } from 'openapi-typescript';

const SOURCE = new URL('../../openapi.json', import.meta.url);
const TARGET = new URL('../src/api/schema.d.ts', import.meta.url);

const document = JSON.parse(await readFile(SOURCE, 'utf8'));
// The events' payloads: the console reads their schemas from the catalogue while it runs.
delete document.webhooks;

const head = '// Generated from ../openapi.json by `npm run gen`. Do not edit.\n\n';
const text = head + astToString(await openapiTS(document, { defaultNonNullable: false }));
if (process.argv.includes('--check')) {
  const present = await readFile(TARGET, 'utf8').catch(() => '');
  if (present !== text) {
    console.error('src/api/schema.d.ts is not what openapi.json says; run `npm run gen` and commit the result');
    process.exit(1);
  }
} else {
  await writeFile(TARGET, text);
}
