#!/usr/bin/env node
// `npm start`, `npm test` and their like must work where only Node and npm are installed: run the given script with the
// pnpm that package.json pins, fetched through npx unless this already runs inside pnpm.
import { readFileSync } from 'node:fs';
import { supervise } from './supervise.mjs';

const { packageManager } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const insidePnpm = process.env.npm_config_user_agent?.startsWith('pnpm/');
// Inside pnpm the outer one has installed and has printed its heading.
const [command, ...prefix] = insidePnpm ? ['pnpm', '--silent'] : ['npx', '--yes', '--prefer-offline', packageManager];
const env = {
  TURBO_TELEMETRY_DISABLED: '1',
  npm_config_update_notifier: 'false',
  LAUNCHER_PID: String(process.pid),
  ...process.env,
};
process.exit(await supervise(command, [...prefix, 'run', ...process.argv.slice(2)], { env }));
