import {
  KeyspaceMode as ModeMessage,
  VerdictDecision,
  type KeyVersion as VersionMessage,
  type KeyspaceDescription as WireKeyspace,
} from '@shanghai/proto';
import type { CallEnvironment } from './calls/call-environment.js';
import { callUnary } from './calls/unary-calls.js';
import { ClientError } from './client-error.js';
import type { Names } from './cluster/multi-master-names.js';
import type { KeyspaceDescription, Keyspaces, KeyVersion } from './keyspaces.js';
import { toNumber, toUint64 } from './wire/wire-values.js';

/** The keyspaces of the cluster that a client is connected to. */
export function keyspacesOf(environment: CallEnvironment, names: Names): Keyspaces {
  return {
    async create(name, { mode = 'quorum', ...options } = {}) {
      const { KEYSPACE_MODE_QUORUM, KEYSPACE_MODE_MULTI_MASTER } = ModeMessage;
      const request = { name, mode: mode === 'quorum' ? KEYSPACE_MODE_QUORUM : KEYSPACE_MODE_MULTI_MASTER };
      const { keyspace } = await callUnary(environment, 'createKeyspace', request, 'repeatable', options);
      if (keyspace === undefined)
        throw new ClientError('INTERNAL_ERROR', 'the server made a keyspace and did not say which');
      names.learn(name, mode === 'multi-master');
      return keyspaceOf(keyspace);
    },
    async delete(name, options) {
      await callUnary(environment, 'deleteKeyspace', { name }, 'once', options);
      names.forget(name);
    },
    async list(options) {
      const { keyspaces } = await callUnary(environment, 'listKeyspaces', {}, 'repeatable', options);
      return keyspaces.map(keyspaceOf);
    },
    async conflicts(keyspace, { limit = 0, ...options } = {}) {
      const page = await callUnary(environment, 'listConflicts', { keyspace, limit }, 'repeatable', options);
      const conflicts = page.conflicts.map(({ key, lost, won }) => ({
        key,
        lost: versionOf(lost),
        won: versionOf(won),
      }));
      return { conflicts, found: toNumber(page.found) };
    },
    async held(keyspace, { limit = 0, ...options } = {}) {
      const page = await callUnary(environment, 'listHeld', { keyspace, limit }, 'repeatable', options);
      const entries = page.entries.map(({ key, version, aheadMs }) => {
        return { key, version: versionOf(version), aheadMs: toNumber(aheadMs) };
      });
      return { entries, held: toNumber(page.held) };
    },
    async giveVerdict(keyspace, { decision, origin, epoch, firstSequence, lastSequence = 0 }, options) {
      const { VERDICT_DECISION_ACCEPT, VERDICT_DECISION_DROP } = VerdictDecision;
      const request = {
        keyspace,
        decision: decision === 'accept' ? VERDICT_DECISION_ACCEPT : VERDICT_DECISION_DROP,
        origin: toUint64(origin, 'origin'),
        epoch: toUint64(epoch, 'epoch'),
        firstSequence: toUint64(firstSequence, 'firstSequence'),
        lastSequence: toUint64(lastSequence, 'lastSequence'),
      };
      const { entries } = await callUnary(environment, 'giveVerdict', request, 'repeatable', options);
      return toNumber(entries);
    },
  };
}

function keyspaceOf(keyspace: WireKeyspace): KeyspaceDescription {
  const { name, keyspaceId, mode, conflictsListed, conflictsFound, held } = keyspace;
  return {
    name,
    keyspaceId: toNumber(keyspaceId),
    mode: mode === ModeMessage.KEYSPACE_MODE_MULTI_MASTER ? 'multi-master' : 'quorum',
    conflictsListed: toNumber(conflictsListed),
    conflictsFound: toNumber(conflictsFound),
    held: toNumber(held),
  };
}

function versionOf(version: VersionMessage | undefined): KeyVersion {
  if (version === undefined) throw new ClientError('INTERNAL_ERROR', 'the server left out a version');
  const { origin, epoch, sequence, timeMs, counter, deleted, value, valueBytes, expiresAtMs } = version;
  return {
    origin: toNumber(origin),
    epoch: toNumber(epoch),
    sequence: toNumber(sequence),
    timeMs: toNumber(timeMs),
    counter,
    ...(deleted ? {} : { value }),
    valueBytes: toNumber(valueBytes),
    expiresAtMs: toNumber(expiresAtMs),
  };
}
