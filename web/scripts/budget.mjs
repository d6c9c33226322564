// The first load of the console, gzipped: the entry, what it imports at once, the first page's own, and their style sheets.
// Fails above the budget. Reads dist/, so it runs after the build.

import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const BUDGET_KIB = 250;
const DIST = new URL('../dist/', import.meta.url);
const manifest = JSON.parse(readFileSync(new URL('.vite/manifest.json', DIST), 'utf8'));

function reached(key, files) {
  const chunk = manifest[key];
  if (files.has(chunk.file)) return files;
  files.add(chunk.file);
  for (const sheet of chunk.css ?? []) files.add(sheet);
  for (const next of chunk.imports ?? []) reached(next, files);
  return files;
}

const kib = (files) => [...files].reduce((sum, file) => sum + gzipSync(readFileSync(new URL(file, DIST))).length, 0) / 1024;

const html = gzipSync(readFileSync(new URL('index.html', DIST))).length / 1024;
const entry = reached('index.html', new Set());
const first = reached('src/features/endpoints/list.tsx', new Set(entry));
const [shell, page] = [kib(entry) + html, kib(first) + html];
console.log(`first load, gzipped: ${shell.toFixed(1)} KiB the shell, ${page.toFixed(1)} KiB with the endpoints page; budget ${BUDGET_KIB} KiB`);

const rest = Object.entries(manifest).filter(([, { file, isDynamicEntry }]) => isDynamicEntry && file.endsWith('.js'));
for (const [key, { file }] of rest) {
  const size = kib([file]);
  if (size > 15) console.log(`  later: ${size.toFixed(1)} KiB ${key}`);
}
if (page > BUDGET_KIB) {
  console.error('over the budget: load less at once');
  process.exit(1);
}
