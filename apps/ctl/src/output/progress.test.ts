import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import type { Settings } from '../settings.js';
import type { Terminal } from '../terminal.js';
import { startProgress } from './progress.js';

function terminalOf(isTTY: boolean) {
  const stderr = Object.assign(new PassThrough(), { isTTY, columns: 100, rows: 20 });
  let said = '';
  stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  return { terminal: { stderr } as unknown as Terminal, said: () => said };
}

const loud = { quiet: false } as Settings;

test('where nobody watches, a line is written at most every interval', async () => {
  const { terminal, said } = terminalOf(false);
  let now = 0;
  const options = { label: 'import', unit: 'bytes', total: 4096, lineIntervalMs: 1000, nowMs: () => now } as const;
  const progress = await startProgress(terminal, loud, options);
  for (now = 0; now <= 2500; now += 100) progress.update(1024 + now, '5 records');
  progress.stop();
  expect(said()).toBe('import: 2.0 KiB of 4.0 KiB (49%), 5 records\nimport: 3.0 KiB of 4.0 KiB (73%), 5 records\n');
});

test('an unknown total is left out, and can be learnt on the way', async () => {
  const { terminal, said } = terminalOf(false);
  let now = 0;
  const progress = await startProgress(terminal, loud, {
    label: 'x',
    unit: 'records',
    lineIntervalMs: 1,
    nowMs: () => now,
  });
  now = 1;
  progress.update(1000);
  now = 2;
  progress.update(2000, undefined, 4000);
  expect(said()).toBe('x: 1,000\nx: 2,000 of 4,000 (50%)\n');
});

test('on a terminal a bar is drawn and taken away again', async () => {
  const { terminal, said } = terminalOf(true);
  const progress = await startProgress(terminal, loud, { label: 'import', unit: 'records', total: 10 });
  progress.update(5, 'half');
  progress.stop();
  progress.stop();
  expect(said()).toContain('import');
  expect(said()).toContain('\u001b[');
});

test('with --quiet nothing is written', async () => {
  const { terminal, said } = terminalOf(true);
  const progress = await startProgress(terminal, { quiet: true } as Settings, { label: 'x', unit: 'records' });
  progress.update(1);
  progress.stop();
  expect(said()).toBe('');
});
