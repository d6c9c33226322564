import { defineConfig } from '@playwright/test';

export default defineConfig({
  testDir: 'e2e',
  fullyParallel: false,
  workers: 1,
  retries: 0,
  forbidOnly: Boolean(process.env.CI),
  timeout: 60_000,
  expect: { timeout: 15_000 },
  reporter: [['list']],
  use: {
    // The system's own: no browser is ever downloaded.
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      // Other sites are of this machine too, and their cookies are kept for no site but the one they are shown in.
      args: ['--no-sandbox', '--host-resolver-rules=MAP *.example 127.0.0.1', '--test-third-party-cookie-phaseout'],
    },
    viewport: { width: 1280, height: 800 },
    timezoneId: 'Europe/Berlin',
    trace: 'retain-on-failure',
  },
});
