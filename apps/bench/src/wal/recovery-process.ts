/**
 * `node recovery-process.js make <directory>`: writes a log of 46 sealed segments and a half-full one, and dies without
 * closing it. `node recovery-process.js open <directory>…`: opens each once, prints how long each took as one line of
 * JSON. The first finds cold code.
 */
import { openWal } from '@shanghai/wal';
import { sealedSegments } from './recovery.js';

const segmentBytes = 262_144;
const recordBytes = 128;
const batchRecords = 100;

const [command, ...directories] = process.argv.slice(2);
if (command === 'make' && directories[0] !== undefined) await make(directories[0]);
else if (command === 'open') await open();
else throw new TypeError('usage: recovery-process.js make <directory> | open <directory>…');

async function make(directory: string): Promise<void> {
  const sizes = { segmentBytes, firstSegmentBytes: segmentBytes };
  // Without a lock: the copies that are opened later must not seem to belong to a process.
  const wal = await openWal({ directory, durability: 'never', lock: false, ...sizes });
  const records = Array.from({ length: batchRecords }, () => ({ payload: new Uint8Array(recordBytes).fill(7) }));
  while (wal.info().segments <= sealedSegments) await wal.appendBatch(records);
  for (let bytes = 0; bytes < segmentBytes / 2; bytes += batchRecords * recordBytes) await wal.appendBatch(records);
  await wal.flush();
  process.kill(process.pid, 'SIGKILL');
}

async function open(): Promise<void> {
  const openings: { openMs: number; segments: number; records: number }[] = [];
  for (const directory of directories) {
    const startMs = performance.now();
    const wal = await openWal({ directory });
    const openMs = performance.now() - startMs;
    const { segments, firstLsn, lastLsn } = wal.info();
    openings.push({ openMs, segments, records: lastLsn - firstLsn + 1 });
    await wal.close();
  }
  process.stdout.write(`${JSON.stringify(openings)}\n`);
}
