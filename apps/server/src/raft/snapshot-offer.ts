/** What the message says that offers a group's snapshot; docs/formats/group-snapshot.md. */
import type { Snapshot } from '@shanghai/raft';
import type { GroupCounters } from '../apply/group-counters.js';
import { GroupSnapshotError } from './group-snapshot-error.js';

/** Whose snapshots a group takes. */
export interface SnapshotOwner {
  readonly clusterId: string;
  readonly groupId: number;
  readonly engine: string;
}

const format = 1;

/** The data of a snapshot's message. */
export function encodeOffer(owner: SnapshotOwner, counters: Readonly<GroupCounters>): Uint8Array {
  const { appliedIndex, appliedTerm, revision, logTimeMs } = counters;
  const { engine, clusterId, groupId } = owner;
  const offer = { format, engine, clusterId, groupId, appliedIndex, appliedTerm, revision, logTimeMs };
  return Buffer.from(JSON.stringify(offer));
}

/** Throws `GroupSnapshotError` where a group cannot take the snapshot. */
export function checkOffer({ data, metadata }: Snapshot, owner: SnapshotOwner): void {
  const { groupId } = owner;
  const offer = parse(data, groupId);
  if (typeof offer.format === 'number' && offer.format > format) {
    throw new GroupSnapshotError(
      'UNSUPPORTED_FORMAT',
      `a snapshot of group ${groupId} has format ${offer.format}, this version knows up to ${format}; use a newer version`,
    );
  }
  if (offer.clusterId !== owner.clusterId || offer.groupId !== groupId) {
    throw new GroupSnapshotError(
      'OTHER_GROUP',
      `a snapshot of '${offer.clusterId}/${offer.groupId}' (cluster/group) came for '${owner.clusterId}/${groupId}'`,
    );
  }
  if (offer.engine !== owner.engine) {
    throw new GroupSnapshotError(
      'OTHER_ENGINE',
      `a snapshot of group ${groupId} is engine '${offer.engine}'s, this node has '${owner.engine}'; all nodes of a ` +
        'cluster need the same --engine',
    );
  }
  if (offer.appliedIndex === metadata.index && offer.appliedTerm === metadata.term) return;
  throw new GroupSnapshotError(
    'DAMAGED',
    `a snapshot of group ${groupId} holds entry ${offer.appliedIndex} of term ${offer.appliedTerm}, its message says ` +
      `${metadata.index} of term ${metadata.term}`,
  );
}

function parse(data: Uint8Array, groupId: number): Partial<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(data).toString());
    if (typeof parsed === 'object' && parsed !== null) return parsed;
  } catch {
    // Told below.
  }
  throw new GroupSnapshotError('DAMAGED', `what a snapshot of group ${groupId} says of itself cannot be read`);
}
