import { defineConfig } from 'vitest/config';

// Tests run against the packages' TypeScript sources: unit tests need no build.
const conditions = ['@shanghai/source'];
// `pnpm deep` runs the same files with far more seeds and draws.
const isDeep = process.env.SHANGHAI_DEEP === '1';

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    pool: 'forks',
    maxWorkers: 2,
    reporters: ['default', './tools/summary-reporter.ts'],
    coverage: { provider: 'v8', include: ['{packages,apps}/*/src/**/*.ts'], reporter: ['text-summary', 'html'] },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['{packages,apps}/*/src/**/*.test.ts', 'proto/src/**/*.test.ts', 'tools/**/*.test.ts'],
          testTimeout: isDeep ? 1_800_000 : 30_000,
          // Files share a process and what it has loaded: loading the sources anew for each took longer than the tests.
          isolate: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'scenario',
          include: ['{packages,apps}/*/test/**/*.test.ts'],
          testTimeout: isDeep ? 1_800_000 : 120_000,
          hookTimeout: 60_000,
          isolate: false,
        },
      },
    ],
  },
});
