/** docs/METRICS.md lists every metric that a server makes, and no other. `npx vitest run <this file> -u` writes it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createLogger, createMetrics, type Metrics } from '@shanghai/telemetry';
import { expect, test } from 'vitest';
import { startServer } from '../src/compose.js';
import { loadConfig } from '../src/config/load-config.js';

const document = fileURLToPath(new URL('../../../docs/METRICS.md', import.meta.url));

const head = `# Metrics

What \`/metrics\` of a node tells, in Prometheus' text form; \`GET /api/v1/metrics\` has the same as JSON, \`shanghaictl metrics\` shows it. Which of them are worth an alert is in [OPERATIONS](OPERATIONS.md#watch-it). \`process_*\` and \`nodejs_*\` beside them are of the process.
Names carry their unit; what ends in \`_total\` only rises, from 0 at each start. Labels have few values: groups, nodes, checks, kinds of requests; never keys, and never names that clients choose. This page is written by \`apps/server/test/metrics-document.test.ts\`.

| metric | kind | labels | what it says |
|---|---|---|---|
`;

interface Row {
  readonly name: string;
  readonly kind: string;
  readonly help: string;
  readonly labels?: readonly string[];
}

/** Metrics that remember what was made. */
function recording(rows: Row[]): Metrics {
  const metrics = createMetrics();
  return {
    ...metrics,
    counter(options) {
      rows.push({ kind: 'counter', ...options });
      return metrics.counter(options);
    },
    gauge(options) {
      rows.push({ kind: 'gauge', ...options });
      return metrics.gauge(options);
    },
    histogram(options) {
      rows.push({ kind: 'histogram', ...options });
      return metrics.histogram(options);
    },
  };
}

test('the list of metrics is that of a running server', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'shanghai-metrics-'));
  const rows: Row[] = [];
  try {
    const flags = ['--data-dir', join(directory, 'data'), '--http-port', '0', '--grpc-port', '0'];
    const intention = loadConfig(flags, {}, '1.2.3');
    if (intention.type !== 'serve') throw new Error('a command line that starts a server');
    const logger = createLogger({ level: 'silent', format: 'json' });
    const server = await startServer(intention.resolved.config, '1.2.3', logger, recording(rows));
    await server.close(0);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  const lines = rows
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, kind, labels = [], help }) => `| \`shanghai_${name}\` | ${kind} | ${labels.join(', ')} | ${help} |`);
  expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length);
  await expect(`${head}${lines.join('\n')}\n`).toMatchFileSnapshot(document);
});
