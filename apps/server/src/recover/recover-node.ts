/**
 * Recovery from a lost quorum, offline: one node that is left becomes the only member of all its groups. Its directory is
 * opened as a start would, under its lock; without consent nothing but that is done.
 *
 * First node.json gets a new instance id: until everything else is written as well, the node table knows another one, and
 * no start gets further than that. Then the groups, the system group last: its log ends with the command `recovered`, by
 * which the others are taken out of the node table for ever. All of it is applied here; then numbers go on at the next
 * multiple of 2^40, as in a state that was restored from a backup and for the same reasons (docs/formats/backup.md,
 * section 4): what the lost nodes gave out must not be given out again. The log begins anew behind that jump. Broken off
 * anywhere it is done again from the beginning.
 */
import type { Clock, Disk, Random } from '@shanghai/env';
import { emptyConfState, type GroupLog, type GroupRemains, groupRemains, recoverGroup } from '@shanghai/raft';
import { openWalHostLog } from '@shanghai/raft/wal';
import type { NodeEntry } from '../apply/catalogue-command.js';
import { manySlots } from '../apply/command.js';
import { encodeCommand } from '../apply/command-codec.js';
import { adoptGroup } from '../backup/adopt-group.js';
import { explain, type NodeIdentity, newId, readIdentity, recordedWal, writeIdentity } from '../data-directory.js';
import { DataDirectoryError } from '../data-directory-error.js';
import type { LogFiles } from '../logs/log-files.js';
import { type NodeStorage, openStorage } from '../open-node-storage.js';
import type { GroupState } from '../raft/group-state.js';
import { resolveNodeOptions } from '../resolve-node-options.js';

/** What a recovery takes. */
export interface RecoverOptions {
  readonly dataDirectory: string;
  /** Absent: only what is there is said. */
  readonly isConsented: boolean;
  readonly breakLock?: boolean;
  readonly disk?: Disk;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** A group as the directory has it. */
export interface GroupReport extends GroupRemains {
  readonly appliedIndex: number;
}

/** What is there, and what was done. */
export interface RecoveryReport {
  readonly dataDirectory: string;
  readonly clusterId: string;
  readonly nodeId: number;
  readonly instanceId: string;
  readonly groups: readonly GroupReport[];
  /** Nodes that are, or would be, taken out of the cluster. */
  readonly lostNodes: readonly Pick<NodeEntry, 'nodeId' | 'name' | 'peerAddress'>[];
  readonly isDone: boolean;
}

/** Rejects with `DataDirectoryError`, or as opening a node does. */
export async function recoverNode(options: RecoverOptions): Promise<RecoveryReport> {
  const settings = resolveNodeOptions({ ...options });
  const { disk } = settings;
  const { dataDirectory: path } = options;
  const opened: (() => Promise<unknown>)[] = [];
  try {
    const lock = await lockOf(disk, path, options.breakLock ?? false);
    opened.push(() => lock.release());
    const identity = await readIdentity(disk, path);
    const node = {
      options: { ...options, engine: identity.engine },
      settings: { ...settings, engine: identity.engine },
    };
    const storage = await openStorage({ ...node, opened }, identity.clusterId);
    return await new Recovery(options, settings, identity, storage).run();
  } catch (error) {
    throw explain(error, path);
  } finally {
    for (const close of opened.reverse()) await close().catch(() => undefined);
  }
}

async function lockOf(disk: Disk, path: string, breakLock: boolean) {
  if ((await disk.stat(`${path}/node.json`)) === undefined) {
    throw new DataDirectoryError(
      'DAMAGED',
      `'${path}' is no data directory of a node: it has no node.json; name the directory that the node was started with`,
    );
  }
  return disk.lockDirectory(path, { breakLock, description: 'shanghai recover' });
}

class Recovery {
  readonly #options: RecoverOptions;
  readonly #ports: { readonly disk: Disk; readonly clock: Clock; readonly random: Random };
  readonly #identity: NodeIdentity;
  readonly #storage: NodeStorage;

  constructor(
    options: RecoverOptions,
    ports: { readonly disk: Disk; readonly clock: Clock; readonly random: Random },
    identity: NodeIdentity,
    storage: NodeStorage,
  ) {
    this.#options = options;
    this.#ports = ports;
    this.#identity = identity;
    this.#storage = storage;
  }

  async run(): Promise<RecoveryReport> {
    const { dataDirectory, isConsented } = this.#options;
    const { clusterId, nodeId } = this.#identity;
    const { clock } = this.#ports;
    const { wal, data, system } = this.#storage;
    const log = await openWalHostLog({ wal, clock, loneVoter: nodeId });
    const groups = [];
    for (const state of [data, system]) groups.push(await this.#look(state, await log.open(state.groupId)));
    const remains = groups.map(({ report }) => report);
    const lostNodes = this.#lost(remains);
    const instanceId = isConsented ? newId(this.#ports.random) : this.#identity.instanceId;
    if (isConsented) {
      await this.#renew(instanceId);
      const recovered = this.#recovered(instanceId, lostNodes);
      for (const { report, log: one, state } of groups) {
        await recoverGroup(one, report, nodeId, report.groupId === 0 ? [recovered] : []);
        await applyAll(state, one, this.#storage.files);
        await this.#jump(state, one, `${recoveryMark}${instanceId}`);
      }
    }
    for (const { log: one } of groups) one.close();
    remains.reverse();
    return { dataDirectory, clusterId, nodeId, instanceId, groups: remains, lostNodes, isDone: isConsented };
  }

  async #look(state: GroupState, log: GroupLog) {
    const { groupId } = state;
    const { nodeId } = this.#identity;
    await this.#finishJump(state, log);
    const remains = await groupRemains(log, { groupId, machine: state, initial: emptyConfState }, nodeId);
    if (remains.lastIndex === 0) {
      throw new DataDirectoryError(
        'DAMAGED',
        `node ${nodeId} holds nothing of group ${groupId}: it never became a member; recover another node`,
      );
    }
    return { log, state, report: { ...remains, appliedIndex: state.appliedIndex } };
  }

  /** The state's numbers jump, and the log begins anew behind them. The state is not to be used otherwise any more. */
  async #jump(state: GroupState, log: GroupLog, backupId: string): Promise<void> {
    const { clusterId } = this.#identity;
    const { groupId, store, machine } = state;
    const point = { index: log.lastIndex(), term: log.initialState().hardState.term };
    const adoption = { clusterId, fromClusterId: clusterId, backupId, point };
    const { index, term } = await adoptGroup({ store, machine, cut: { groupId } }, adoption);
    await this.#beginAt(log, index, term);
  }

  /** An earlier recovery was broken off between the two. */
  async #finishJump(state: GroupState, log: GroupLog): Promise<void> {
    const mark = state.machine.restored;
    if (mark?.backupId.startsWith(recoveryMark) !== true || mark.index !== state.appliedIndex) return;
    if (log.lastIndex() < mark.index) await this.#beginAt(log, mark.index, mark.term);
  }

  #beginAt(log: GroupLog, index: number, term: number): Promise<void> {
    const { nodeId } = this.#identity;
    const snapshot = { index, term, confState: { ...emptyConfState, voters: [nodeId] } };
    return log.append({ snapshot, entries: [], hardState: { term, vote: nodeId, commit: index } });
  }

  /** Whoever is in a group, in the table or was told of at the first start. */
  #lost(groups: readonly GroupReport[]): RecoveryReport['lostNodes'] {
    const { nodeId: ownId, firstMembers } = this.#identity;
    const found = new Map<number, RecoveryReport['lostNodes'][number]>();
    const members = groups.flatMap(({ configuration: { voters, votersOutgoing, learners, learnersNext } }) => [
      ...voters,
      ...votersOutgoing,
      ...learners,
      ...learnersNext,
    ]);
    for (const nodeId of members) found.set(nodeId, { nodeId, name: `node-${nodeId}`, peerAddress: '' });
    for (const { nodeId, peerAddress } of firstMembers) {
      if (!found.has(nodeId)) continue;
      found.set(nodeId, { nodeId, name: `node-${nodeId}`, peerAddress });
    }
    for (const { nodeId, name, peerAddress } of this.#storage.system.machine.catalogue.nodes) {
      found.set(nodeId, { nodeId, name, peerAddress });
    }
    found.delete(ownId);
    return [...found.values()].sort((a, b) => a.nodeId - b.nodeId);
  }

  async #renew(instanceId: string): Promise<void> {
    const { disk } = this.#ports;
    const { dataDirectory } = this.#options;
    const wal = await recordedWal(disk, dataDirectory);
    await writeIdentity(disk, dataDirectory, { ...this.#identity, instanceId, wal });
  }

  #recovered(instanceId: string, lostNodes: RecoveryReport['lostNodes']): Uint8Array {
    const { clock } = this.#ports;
    const { nodeId } = this.#identity;
    const logTimeMs = Math.max(this.#storage.system.machine.visible.logTimeMs, clock.nowMs());
    const header = { logTimeMs, sessionId: 0, requestNumber: 0, retry: false, slot: manySlots, epoch: 0 };
    const lost = lostNodes.map((node) => node.nodeId);
    return encodeCommand(header, {
      kind: 'catalogue',
      change: { type: 'recovered', nodeId, instanceId, lost, atMs: clock.nowMs() },
    });
  }
}

/** What stands in the state's mark where a backup's id does otherwise. */
const recoveryMark = 'recovery ';

const applyBytes = 1_048_576;

/** The state as of the end of the log, durable, the files of named logs as well. */
async function applyAll(state: GroupState, log: GroupLog, files: LogFiles): Promise<void> {
  while (state.appliedIndex < log.lastIndex()) {
    const entries = log.entries(state.appliedIndex + 1, log.lastIndex() + 1, applyBytes);
    if (typeof entries === 'string')
      throw new DataDirectoryError('DAMAGED', `the log lacks what group ${state.groupId} has not applied`);
    await state.apply(entries);
  }
  const durable = await state.checkpoint(async () => {
    await files.flush();
    return files.unstoredFrom((logId) => state.machine.logs.get(logId) !== undefined);
  });
  if (durable === state.appliedIndex) return;
  throw new DataDirectoryError(
    'DAMAGED',
    `a named log cannot take what group ${state.groupId} holds behind entry ${durable}; mend its files, then recover again`,
  );
}
