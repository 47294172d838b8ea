#!/usr/bin/env node
/**
 * The program: parse, compose, start, wait, stop. Standard output carries log lines only (one JSON object a line, the
 * first of them `listening`); the banner and the reason of a failed start go to standard error.
 */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { createLogger, type Logger } from '@shanghai/telemetry';
import { banner } from './banner.js';
import { loggerOf, type RunningServer, startServer } from './compose.js';
import { loadConfig } from './config/load-config.js';
import type { ResolvedConfig } from './config/resolve-config.js';
import { portOf } from './first-members.js';
import { parseClusterCommand } from './local-cluster/cluster-command.js';
import { type ListeningMessage, runCluster } from './local-cluster/run-cluster.js';
import { recover } from './recover/recover-command.js';
import type { ShutdownRequest } from './shutdown.js';
import { exitCodes, startupFailure } from './startup-failure.js';

const { version } = createRequire(import.meta.url)('../package.json') as { version: string };

/** Ends the process; its standard output is written synchronously, so nothing is lost. */
function exit(code: number): never {
  process.exit(code);
}

function endForFailedStart(error: unknown): never {
  const failure = startupFailure(error);
  const lines = failure.message.split('\n').map((line) => `shanghai: ${line}\n`);
  process.stderr.write(lines.join(''));
  if (!failure.isExpected && error instanceof Error) process.stderr.write(`${error.stack ?? ''}\n`);
  exit(failure.exitCode);
}

/**
 * An interrupt on a terminal reaches the whole process group, and launchers (npm, pnpm) that got it pass it on once more:
 * the same signal again within this time is still the first one.
 */
const sameSignalMs = 500;

/** The first signal asks to stop, a second one ends at once. */
function stopOnSignals(server: RunningServer, drainMs: number, logger: Logger): void {
  const numbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
  let first: { readonly signal: string; readonly atMs: number } | undefined;
  for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      const atMs = performance.now();
      if (first?.signal === signal && atMs - first.atMs < sameSignalMs) return;
      if (first !== undefined) exit(128 + numbers[signal]);
      first = { signal, atMs };
      logger.info({ signal }, 'told to stop; a second signal ends at once');
      server.shutdown.request({ drainMs });
    });
  }
}

/** A node of a local cluster does not outlive the process that started it. */
function stopWhenAlone(server: RunningServer, drainMs: number, logger: Logger): void {
  if (process.send === undefined) return;
  process.once('disconnect', () => {
    logger.info({}, 'told to stop: the process that started this one is gone');
    server.shutdown.request({ drainMs });
  });
}

/** A defect of ours: said, and the process ends, because what it would do next cannot be trusted. */
function endOnDefects(logger: Logger): void {
  const end = (error: unknown) => {
    logger.fatal({ err: error }, 'uncaught error');
    exit(exitCodes.failed);
  };
  process.on('uncaughtException', end);
  process.on('unhandledRejection', end);
}

function announce(resolved: ResolvedConfig, server: RunningServer): void {
  const { config } = resolved;
  const { http, grpc, peer } = server.addresses;
  const { nodeId, nodeName, clusterId } = server.node.status();
  // Written whatever the level: programs that start a server wait for this line.
  const logger = createLogger({ level: 'info', format: config.logFormat });
  const ports = { httpPort: portOf(http), grpcPort: portOf(grpc) };
  const what = { version, nodeId, nodeName, clusterId, dataDir: config.dataDir, pid: process.pid };
  logger.info({ http: `http://${http}`, grpc, ...(peer === '' ? {} : { peer }), ...ports, ...what }, 'listening');
  process.send?.({ type: 'listening', http, grpc } satisfies ListeningMessage);
  if (config.banner && config.logLevel !== 'silent')
    process.stderr.write(banner(version, nodeId, config, server.addresses));
}

/** A node that cannot go on may not be able to close either: its disk does not answer. Then it ends as a crash would. */
const failedCloseMs = 10_000;

async function stop(server: RunningServer, request: ShutdownRequest, logger: Logger): Promise<number> {
  const { drainMs, failure } = request;
  logger.info({ drainMs }, failure === undefined ? 'stopping' : 'stopping, because the node cannot go on');
  if (failure !== undefined) {
    setTimeout(() => {
      logger.fatal({ closeMs: failedCloseMs }, 'closing does not end; what was acknowledged is in the log');
      exit(exitCodes.failed);
    }, failedCloseMs).unref();
  }
  try {
    await server.close(drainMs);
  } catch (error) {
    logger.fatal({ err: error }, 'closing failed; what was acknowledged is in the log');
    return exitCodes.failed;
  }
  logger.info({}, 'stopped');
  if (failure === undefined) return exitCodes.stopped;
  const { message, exitCode } = startupFailure(failure);
  process.stderr.write(`shanghai: ${message}\n`);
  return exitCode;
}

async function serve(resolved: ResolvedConfig): Promise<number> {
  const { config, warnings } = resolved;
  const logger = loggerOf(config);
  for (const warning of warnings) logger.warn({}, warning);
  const server = await startServer(config, version, logger).catch(endForFailedStart);
  endOnDefects(logger);
  stopOnSignals(server, config.drainMs, logger);
  stopWhenAlone(server, config.drainMs, logger);
  announce(resolved, server);
  return await stop(server, await server.shutdown.requested, logger);
}

async function startCluster(args: readonly string[]): Promise<void> {
  const intention = parseClusterCommand(args, process.env, version);
  if (intention.type === 'print') process.stdout.write(intention.text);
  else {
    const { nodes } = intention;
    const program = fileURLToPath(import.meta.url);
    exit(await runCluster({ nodes, program, out: process.stdout, err: process.stderr }));
  }
}

async function startOne(args: readonly string[]): Promise<void> {
  const intention = loadConfig(args, process.env, version);
  if (intention.type === 'print') process.stdout.write(intention.text);
  else exit(await serve(intention.resolved));
}

try {
  const args = process.argv.slice(2);
  if (args[0] === 'cluster') await startCluster(args.slice(1));
  else if (args[0] === 'recover') process.stdout.write(await recover(args.slice(1)));
  else await startOne(args);
} catch (error) {
  endForFailedStart(error);
}
