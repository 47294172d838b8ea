/**
 * A backup on its way out (docs/formats/backup.md): of every group the state between two runs of entries, the system
 * group last, so that the catalogue knows whatever the data refers to. Of logs and keyspaces of mode multi-master it has
 * what this node has, of all origins: its own group is cut like the others. Made as it is taken: a reader that stops costs
 * one snapshot that stands, and no memory.
 */
import { crc32, isErrno, type Random } from '@shanghai/env';
import type { Catalogue } from '../apply/catalogue.js';
import { ownGroup } from '../apply/own-group.js';
import { type NodeIdentity, newId } from '../data-directory.js';
import type { OutgoingSnapshot } from '../raft/outgoing-snapshot.js';
import type { Replica } from '../raft/replica.js';
import { ServerError } from '../requests/server-error.js';
import type { BackupGroupCut, BackupPart } from './backup-parts.js';

/** What a backup is made of. */
export interface OutgoingBackupParts {
  /** Those that are open now, the node's own group among them; the system group last. */
  readonly replicas: () => readonly Replica[];
  /**
   * Waits until whatever was written anywhere before the call is in the own group, for so long as is reasonable. Resolves to the
   * time up to which it is, by the stamps of the entries; `undefined` where nobody can say.
   */
  readonly whenComplete: (signal: AbortSignal) => Promise<number | undefined>;
  /** The same, without waiting. */
  readonly completeToMs: () => number | undefined;
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
  for (const replica of replicas()) {
    signal.throwIfAborted();
    if (!stale) await replica.readBarrier({ keyspace: '', level: 'linearizable' });
    if (replica.groupId !== ownGroup) {
      yield* groupParts(replica, signal, total);
      continue;
    }
    // Asked before the cut: what it covers is in it.
    const completeToMs = stale ? parts.completeToMs() : await parts.whenComplete(signal);
    yield* groupParts(replica, signal, total, completeToMs === undefined ? {} : { completeToMs });
  }
  yield { type: 'end', ...total };
}

async function* groupParts(
  replica: Replica,
  signal: AbortSignal,
  total: { files: number; bytes: number },
  more: Pick<BackupGroupCut, 'completeToMs'> = {},
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
    yield {
      type: 'group',
      groupId,
      appliedIndex,
      appliedTerm,
      revision,
      logTimeMs,
      files: found.length,
      bytes,
      ...more,
    };
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
    const data = await source.read(name, at, Math.min(pieceBytes, bytes - at)).catch((error: unknown) => {
      throw isErrno(error, 'ENOENT') ? givenUp(name) : error;
    });
    yield { type: 'bytes', data, checksum: crc32(data) };
  }
}

/** A stream of which nothing is needed any more begins anew, whoever reads it. */
function givenUp(name: string): ServerError {
  return new ServerError('SERVICE_UNAVAILABLE', `'${name}' was given up while the backup was read; save it again`);
}
