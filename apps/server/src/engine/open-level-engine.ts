/** Opening the engine on LevelDB: what a crash or damage left is settled before LevelDB sees it. */
import type { ClassicLevel } from 'classic-level';
import { EngineError } from './engine-error.js';
import type { EngineOptions } from './engine-options.js';
import { type LevelDatabase, LevelEngine, writeBufferBytes } from './level-engine.js';
import { levelError } from './level-errors.js';
import { settleLevelLogs } from './level-log.js';
import { readLevelMark } from './level-mark-file.js';
import { decodeLevelMeta, type LevelMeta, levelMetaKey } from './level-record.js';
import { loadLevelSnapshot, prepareLevelSnapshot } from './level-snapshot.js';
import { damagedTables, listedTables } from './level-tables.js';
import type { StorageEngine } from './storage-engine.js';

/** Of the block cache, where the configuration gives the value cache none. */
const leastCacheBytes = 8 * 1024 * 1024;

/** Opens the engine. Rejects, and its calls fail, with `EngineError`; the disk must be the machine's own, for the library knows no other. */
export async function openLevelEngine(options: EngineOptions): Promise<StorageEngine> {
  const { directory, disk } = options;
  const Level = await loadLibrary();
  const isSnapshot = await prepareLevelSnapshot(disk, directory);
  const mark = await readLevelMark(disk, directory);
  await settleLevelLogs(disk, directory, mark);
  const suspects = await damagedTables(disk, directory);
  const db: LevelDatabase = new Level<Uint8Array, Uint8Array>(directory, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    writeBufferSize: writeBufferBytes,
    cacheSize: Math.max(leastCacheBytes, options.store.cache?.maxBytes ?? 0),
    // A store that was there must still be there.
    createIfMissing: mark === undefined,
    ...(options.store.maxOpenFiles === undefined ? {} : { maxOpenFiles: Math.max(64, options.store.maxOpenFiles) }),
  });
  try {
    await db.open();
    checkTables(directory, suspects, db.getProperty('leveldb.sstables'));
    const stored = await db.get(levelMetaKey);
    const meta: LevelMeta =
      stored === undefined ? { sequence: 0, keysByFirstByte: new Float64Array(256) } : decodeLevelMeta(stored);
    if (meta.sequence < (mark?.sequence ?? 0)) {
      throw new EngineError(
        'CORRUPT',
        `the level store in '${directory}' ends at operation ${meta.sequence}, ${mark?.sequence} had been made durable; restore it from a replica or a backup`,
        { details: { directory } },
      );
    }
    const engine = new LevelEngine(options, db, meta);
    if (isSnapshot) await loadLevelSnapshot(disk, directory, engine);
    else await engine.checkpoint();
    return engine;
  } catch (error) {
    await db.close().catch(() => undefined);
    throw levelError(directory, error);
  }
}

/** LevelDB has removed by now what a crash left half written; what it still lists is damaged. */
function checkTables(directory: string, suspects: readonly string[], property: string): void {
  const listed = listedTables(property);
  const name = suspects.find((suspect) => listed.has(Number.parseInt(suspect, 10)));
  if (name === undefined) return;
  const file = `${directory}/${name}`;
  throw new EngineError('CORRUPT', `'${file}' is damaged; restore it from a replica or a backup`, {
    details: { file },
  });
}

async function loadLibrary(): Promise<typeof ClassicLevel> {
  try {
    return (await import('classic-level')).ClassicLevel;
  } catch (error) {
    throw new EngineError(
      'UNAVAILABLE',
      `engine 'level' needs the package classic-level, which cannot be loaded here: ${String(error)}; use --engine bitcask`,
      { cause: error },
    );
  }
}
