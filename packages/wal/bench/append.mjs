/**
 * How many appends a second, and how long one takes, at rising numbers of concurrent callers, beside what a bare
 * loop of write and fdatasync into a file written before does on the same disk in the same run.
 *
 * `WAL_OPTIONS='{"segmentsAhead":0}'` opens the log with other options.
 *
 *     pnpm --filter @shanghai/wal build && node packages/wal/bench/append.mjs [directory] [seconds per row] [payload bytes]
 */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openWal } from '../dist/index.js';

const parent = process.argv[2] ?? tmpdir();
const seconds = Number(process.argv[3] ?? 2);
const payloadBytes = Number(process.argv[4] ?? 128);
const directory = mkdtempSync(join(parent, 'wal-bench-'));
const payload = Buffer.alloc(payloadBytes, 7);

try {
  const raw = rawSyncs(join(directory, 'raw'));
  console.log(`payload ${payloadBytes} B, ${seconds} s a row`);
  console.log(row('raw write+fdatasync', raw));
  const rates = new Map();
  for (const callers of [1, 16, 128, 256, 1024]) {
    const result = await appends(join(directory, `log-${callers}`), callers);
    rates.set(callers, result.perSecond);
    console.log(row(`${callers} callers`, result));
  }
  console.log(`128 callers / 1 caller: ${(rates.get(128) / rates.get(1)).toFixed(1)}x`);
} finally {
  rmSync(directory, { recursive: true, force: true });
}

function rawSyncs(path) {
  const file = openSync(path, 'w+');
  const block = Buffer.alloc(4096, 1);
  for (let i = 0; i < 2048; i++) writeSync(file, block, 0, block.length, i * 4096);
  fdatasyncSync(file);
  const times = [];
  const end = performance.now() + seconds * 500;
  for (let i = 0; performance.now() < end; i++) {
    const started = performance.now();
    writeSync(file, block, 0, 512, (i % 2048) * 4096);
    fdatasyncSync(file);
    times.push(performance.now() - started);
  }
  closeSync(file);
  return summary(times, seconds * 500);
}

async function appends(path, callers) {
  const wal = await openWal({ directory: path, ...JSON.parse(process.env.WAL_OPTIONS ?? '{}') });
  const times = [];
  let count = 0;
  let end = performance.now() + 300;
  let measuring = false;
  const caller = async () => {
    while (true) {
      const started = performance.now();
      if (started >= end) return;
      await wal.append(payload);
      if (!measuring) continue;
      count++;
      if ((count & 15) === 0) times.push(performance.now() - started);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  measuring = true;
  wal.release(0, wal.info().lastLsn);
  const syncsBefore = wal.info().syncs;
  const cpuBefore = process.cpuUsage();
  const began = performance.now();
  end = began + seconds * 1000;
  await Promise.all(Array.from({ length: callers }, caller));
  const result = summary(times, performance.now() - began, count);
  const { user, system } = process.cpuUsage(cpuBefore);
  result.cpuMicros = (user + system) / count;
  result.syncs = wal.info().syncs - syncsBefore;
  await wal.close();
  return result;
}

function summary(times, elapsedMs, count = times.length) {
  times.sort((a, b) => a - b);
  const at = (share) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN;
  return { perSecond: (count * 1000) / elapsedMs, p50: at(0.5), p99: at(0.99), max: at(1), syncs: count };
}

function row(name, { perSecond, p50, p99, max, syncs, cpuMicros }) {
  const ms = (value) => value.toFixed(2).padStart(7);
  const cpu = cpuMicros === undefined ? '' : `  ${cpuMicros.toFixed(2)} us of CPU each`;
  return `${name.padEnd(22)}${Math.round(perSecond).toLocaleString('en').padStart(12)}/s   p50 ${ms(p50)} ms  p99 ${ms(p99)} ms  max ${ms(max)} ms  ${syncs} syncs${cpu}`;
}
