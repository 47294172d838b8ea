/** Messages of the Keyspaces service ↔ the typed requests behind the API. */
import * as wire from '@shanghai/proto';
import type { Version } from '@shanghai/replication';
import type { ListedLoss } from '../../apply/lost-record.js';
import type { HeldPage, KeyspaceDescription, KeyspaceMode } from '../../keyspaces/keyspace-requests.js';
import { ServerError } from '../../requests/server-error.js';
import { asBuffer } from './wire-numbers.js';

const noBytes = Buffer.alloc(0);

/** A mode as it is asked for. */
export function modeOfMessage(mode: wire.KeyspaceMode): KeyspaceMode {
  switch (mode) {
    case wire.KeyspaceMode.KEYSPACE_MODE_UNSPECIFIED:
    case wire.KeyspaceMode.KEYSPACE_MODE_QUORUM:
      return 'quorum';
    case wire.KeyspaceMode.KEYSPACE_MODE_MULTI_MASTER:
      return 'multi-master';
    default:
      throw new ServerError('INVALID_REQUEST', `keyspace mode ${String(mode)} is not known`);
  }
}

/** A keyspace. */
export function keyspaceMessage(keyspace: KeyspaceDescription): wire.KeyspaceDescription {
  const { name, keyspaceId, mode, conflictsListed, conflictsFound, held } = keyspace;
  const { KEYSPACE_MODE_QUORUM, KEYSPACE_MODE_MULTI_MASTER } = wire.KeyspaceMode;
  return {
    name,
    keyspaceId: BigInt(keyspaceId),
    mode: mode === 'quorum' ? KEYSPACE_MODE_QUORUM : KEYSPACE_MODE_MULTI_MASTER,
    conflictsListed: BigInt(conflictsListed),
    conflictsFound: BigInt(conflictsFound),
    held: BigInt(held),
  };
}

/** A version that lost, and the one it lost to. */
export function conflictMessage({ key, lost, loserBytes, winnerBytes }: ListedLoss): wire.KeyConflict {
  return {
    key: asBuffer(key),
    lost: versionMessage(lost.loser, loserBytes),
    won: versionMessage(lost.winner, winnerBytes),
  };
}

/** A held entry; its value is cut. */
export function heldMessage({ entry, version, aheadMs }: HeldPage['entries'][number]): wire.HeldEntry {
  const { value } = version;
  const shown = value === undefined ? version : { ...version, value: value.subarray(0, 1024) };
  return {
    key: asBuffer(entry.operation.key),
    version: versionMessage(shown, value?.length),
    aheadMs: BigInt(Math.trunc(aheadMs)),
  };
}

function versionMessage({ stamp, value, expiresAtMs }: Version, valueBytes: number | undefined): wire.KeyVersion {
  return {
    origin: BigInt(stamp.origin),
    epoch: BigInt(stamp.epoch),
    sequence: BigInt(stamp.sequence),
    timeMs: BigInt(stamp.hlc.ms),
    counter: stamp.hlc.counter,
    deleted: value === undefined,
    value: value === undefined ? noBytes : asBuffer(value),
    valueBytes: BigInt(valueBytes ?? 0),
    expiresAtMs: BigInt(expiresAtMs),
  };
}
