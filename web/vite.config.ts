/// <reference types="vitest/config" />
import { fileURLToPath } from 'node:url';
import tailwind from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// In development everything that is not the console itself goes to a running server.
const server = process.env.HOOPOE_URL ?? 'http://127.0.0.1:8080';
const proxied = ['/v1', '/docs', '/login', '/openapi.json', '/healthz', '/readyz', '/brand.json', '/brand/'];

export default defineConfig({
  plugins: [react(), tailwind()],
  resolve: { alias: { '~': fileURLToPath(new URL('src', import.meta.url)) } },
  server: {
    proxy: Object.fromEntries(proxied.map((path) => [path, { target: server }])),
    fs: { allow: ['..'] },
  },
  build: {
    target: 'es2022',
    manifest: true,
    assetsInlineLimit: 0,
    sourcemap: false,
    modulePreload: { polyfill: false },
  },
  test: { include: ['src/**/*.test.ts', 'src/**/*.test.tsx', 'scripts/**/*.test.ts'], environment: 'node' },
});
