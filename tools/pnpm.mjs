#!/usr/bin/env node
// `npm start` and `npm test` must work where only Node and npm are installed: run the given script with the pnpm that
// package.json pins, fetched through npx unless this already runs inside pnpm.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

const { packageManager } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const insidePnpm = process.env.npm_config_user_agent?.startsWith('pnpm/');
const [command, ...prefix] = insidePnpm ? ['pnpm'] : ['npx', '--yes', '--prefer-offline', packageManager];
const child = spawn(command, [...prefix, 'run', ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: { TURBO_TELEMETRY_DISABLED: '1', npm_config_update_notifier: 'false', ...process.env },
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => process.exit(code ?? (signal ? 1 : 0)));
