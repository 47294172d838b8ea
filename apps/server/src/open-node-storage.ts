/** What a node keeps on its disk: the write-ahead log of all groups, the files of named logs, the state of each group. */
import { entryOverheadBytes } from '@shanghai/raft/wal';
import { openWal, type Wal } from '@shanghai/wal';
import { firstDataGroup } from './apply/catalogue.js';
import { ownGroup } from './apply/own-group.js';
import { maxEntryBytes, type NodeLimits } from './limits.js';
import { LogFiles } from './logs/log-files.js';
import type { NodeOptions } from './node-options.js';
import { GroupState } from './raft/group-state.js';
import type { NodeSettings } from './resolve-node-options.js';

const defaultLogSegmentBytes = 64 * 1024 * 1024;
const defaultFirstLogSegmentBytes = 1024 * 1024;

/** A node that is being opened. */
export interface NodeBeingOpened {
  readonly options: NodeOptions;
  readonly settings: NodeSettings;
  /** Closes what was opened, the last first. */
  readonly opened: (() => Promise<unknown>)[];
}

/** The parts of it. */
export interface NodeStorage {
  readonly wal: Wal;
  readonly files: LogFiles;
  readonly system: GroupState;
  readonly data: GroupState;
  /** Whether the group that this node has for itself was made already. */
  readonly hasOwn: boolean;
  /** Opens it, making it where there is none. */
  openOwn(): Promise<GroupState>;
  /** All that are open. */
  opened(): readonly GroupState[];
}

/** Opens all of it. Nothing is replayed yet. */
export async function openStorage(node: NodeBeingOpened, clusterId: string): Promise<NodeStorage> {
  const { opened } = node;
  const wal = await openSharedWal(node);
  opened.push(() => wal.close());
  const files = openLogFiles(node, clusterId);
  opened.push(() => files.close());
  const states: GroupState[] = [];
  const open = async (groupId: number): Promise<GroupState> => {
    const state = await openState(node, files, groupId, clusterId);
    opened.push(() => state.close());
    states.push(state);
    return state;
  };
  const hasOwn = await isThere(node, `groups/${ownGroup}`, `groups/${ownGroup}.current`);
  const system = await open(0);
  return {
    wal,
    files,
    system,
    data: await open(firstDataGroup),
    hasOwn,
    openOwn: () => open(ownGroup),
    opened: () => states,
  };
}

/** Whether one of these is in the data directory: a group that was restored lies where the second says. */
async function isThere({ options, settings }: NodeBeingOpened, ...paths: readonly string[]): Promise<boolean> {
  const stats = paths.map((path) => settings.disk.stat(`${options.dataDirectory}/${path}`));
  return (await Promise.all(stats)).some((stat) => stat !== undefined);
}

function openSharedWal({ options, settings }: NodeBeingOpened): Promise<Wal> {
  const { disk, clock, random, limits } = settings;
  return openWal({
    ...options.wal,
    directory: `${options.dataDirectory}/wal`,
    lock: false,
    maxRecordBytes: maxEntryBytes(limits) + entryOverheadBytes,
    maxQueuedBytes: walQueueBytes(limits),
    disk,
    clock,
    random,
    ...(options.walListener === undefined ? {} : { listener: options.walListener }),
  });
}

/** Two groups' proposals fit, so that their own bounds refuse first. */
function walQueueBytes(limits: NodeLimits): number {
  return 3 * limits.maxProposalBytes;
}

function openLogFiles({ options, settings }: NodeBeingOpened, clusterId: string): LogFiles {
  const { disk, clock, random, limits, listener } = settings;
  return new LogFiles({
    onDamaged: (event) => listener.logDamaged?.(event),
    onTornTail: (event) => listener.logTornTail?.(event),
    directory: `${options.dataDirectory}/logs`,
    clusterId,
    disk,
    clock,
    random,
    maxOpen: limits.openLogs,
    maxRecordBytes: maxEntryBytes(limits),
    maxQueuedBytes: 2 * limits.maxProposalBytes,
    segmentBytes: options.logs?.segmentBytes ?? defaultLogSegmentBytes,
    firstSegmentBytes: options.logs?.firstSegmentBytes ?? defaultFirstLogSegmentBytes,
  });
}

function openState(
  { options, settings }: NodeBeingOpened,
  files: LogFiles,
  groupId: number,
  clusterId: string,
): Promise<GroupState> {
  const { disk, clock, limits, listener, engine, versions } = settings;
  return GroupState.open({
    groupId,
    clusterId,
    directory: `${options.dataDirectory}/groups`,
    logFiles: files,
    limits,
    engine,
    store: options.store ?? {},
    disk,
    clock,
    listener,
    highestVersion: versions.highest,
    ...(options.bitcaskListener === undefined ? {} : { bitcaskListener: options.bitcaskListener }),
  });
}
