#!/usr/bin/env node
// `npm start [-- flags]`: installs and builds with the pinned pnpm, then runs the server as a child of this process, with
// nothing between that would swallow a signal. What the build says goes to standard error: standard output is the log.
import { fileURLToPath } from 'node:url';
import { supervise } from './supervise.mjs';

const launcher = fileURLToPath(new URL('pnpm.mjs', import.meta.url));
const program = fileURLToPath(new URL('../apps/server/dist/main.js', import.meta.url));

const built = await supervise(process.execPath, [launcher, 'build:server'], { stdio: ['inherit', 2, 2] });
process.exit(built === 0 ? await supervise(process.execPath, [program, ...process.argv.slice(2)]) : built);
