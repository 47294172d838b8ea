/**
 * A backup on its way out (docs/formats/backup.md): of every group the state between two runs of entries, the system
 * group last, so that the catalogue knows whatever the data refers to. Made as it is taken: a reader that stops costs
 * one snapshot that stands, and no memory.
 */
import { crc32, type Random } from '@shanghai/env';
import type { Catalogue } from '../apply/catalogue.js';
import { type NodeIdentity, newId } from '../data-directory.js';
import type { OutgoingSnapshot } from '../raft/outgoing-snapshot.js';
import type { Replica } from '../raft/replica.js';
import type { BackupPart } from './backup-parts.js';

/** What a backup is made of. */
export interface OutgoingBackupParts {
  /** The system group last. */
  readonly replicas: readonly Replica[];
  readonly catalogue: () => Catalogue;
  readonly identity: Pick<NodeIdentity, 'clusterId' | 'nodeId' | 'engine'>;
  readonly random: Random;
  readonly nowMs: () => number;
}

const pieceBytes = 262_144;

/** The parts of a backup, until the signal aborts. `stale`: without asking whether this node has everything. */
export async function* outgoingBackup(
  parts: OutgoingBackupParts,
  { stale, signal }: { readonly stale: boolean; readonly signal: AbortSignal },
): AsyncGenerator<BackupPart, void, undefined> {
  const { replicas, catalogue, identity, random, nowMs } = parts;
  const { clusterId, nodeId, engine } = identity;
  yield {
    type: 'header',
    backupId: newId(random),
    clusterId,
    nodeId,
    serverVersion: '',
    clusterVersion: catalogue().cluster?.clusterVersion ?? 0,
    timeMs: nowMs(),
    engine,
  };
  const total = { files: 0, bytes: 0 };
  for (const replica of replicas) {
    signal.throwIfAborted();
    if (!stale) await replica.readBarrier({ keyspace: '', level: 'linearizable' });
    yield* groupParts(replica, signal, total);
  }
  yield { type: 'end', ...total };
}

async function* groupParts(
  replica: Replica,
  signal: AbortSignal,
  total: { files: number; bytes: number },
): AsyncGenerator<BackupPart, void, undefined> {
  const { counters, source } = await replica.state.cut();
  // A reader that asks for nothing more never comes to the end of this.
  const release = () => void source.release();
  signal.addEventListener('abort', release, { once: true });
  try {
    signal.throwIfAborted();
    const found = await source.names();
    const bytes = found.reduce((sum, file) => sum + file.bytes, 0);
    const { appliedIndex, appliedTerm, revision, logTimeMs } = counters;
    const { groupId } = replica;
    yield { type: 'group', groupId, appliedIndex, appliedTerm, revision, logTimeMs, files: found.length, bytes };
    for (const file of found) {
      yield { type: 'file', ...file };
      yield* pieces(source, file, signal);
    }
    total.files += found.length;
    total.bytes += bytes;
  } finally {
    signal.removeEventListener('abort', release);
    await source.release();
  }
}

async function* pieces(
  source: OutgoingSnapshot,
  { name, bytes }: { readonly name: string; readonly bytes: number },
  signal: AbortSignal,
): AsyncGenerator<BackupPart, void, undefined> {
  for (let at = 0; at < bytes; at += pieceBytes) {
    signal.throwIfAborted();
    const data = await source.read(name, at, Math.min(pieceBytes, bytes - at));
    yield { type: 'bytes', data, checksum: crc32(data) };
  }
}
