#!/usr/bin/env node
/** The process: streams, Ctrl-C, exit code. Everything else is in `run-ctl.ts`. */
import { homedir } from 'node:os';
import { exitCodes } from './exit-codes.js';
import { processHost } from './process-host.js';
import { runCtl } from './run-ctl.js';

const interrupt = new AbortController();
process.on('SIGINT', () => {
  // The first one lets the command stop and say how far it came; the second does not wait.
  if (interrupt.signal.aborted) process.exit(exitCodes.INTERRUPTED);
  interrupt.abort();
});
process.on('SIGTERM', () => interrupt.abort());

// A reader that went away (`| head`) ends the tool as it ends every other: 128 + SIGPIPE. Nothing is half done then,
// because commands that write to a node say on stdout only at their end what they did.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(141);
  throw error;
});
process.stderr.on('error', () => undefined);

const host = processHost({
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  environment: process.env,
  homeDirectory: homedir(),
  signal: interrupt.signal,
});
// What never settles empties the event loop, and the process ends with this instead of Node's own 13.
process.exitCode = exitCodes.INTERNAL_ERROR;
const code = await runCtl(process.argv.slice(2), host);
process.exitCode = code;
// Streams to pipes are asynchronous: leave when they are empty, whatever else is still open.
process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
