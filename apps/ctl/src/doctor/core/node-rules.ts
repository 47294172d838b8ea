/** What can be wrong with one node. */
import type { HealthCheck } from '../../connection.js';
import type { Finding } from './finding.js';
import type { AnsweringNode, NodeObservation } from './observation.js';

/** Thresholds of the rules, in the units of their names. */
export const nodeLimits = {
  /** Every write waits for a sync. */
  slowSyncP99Ms: 100,
  /** Half of the shortest default election timeout: a leader this slow is about to lose its leadership. */
  verySlowSyncP99Ms: 500,
  /** Fewer syncs say nothing about the slowest of a hundred. */
  leastSyncs: 20,
  lateEventLoopMs: 100,
  fullHeapShare: 0.9,
  lowSpaceShare: 0.1,
  noSpaceShare: 0.03,
  fewOpenFiles: 4_096,
  usedOpenFilesShare: 0.8,
} as const;

/** Findings about a node that did not answer, or whose entry in the node table is all there is of it. */
export function absentNode({ node, problem }: NodeObservation): readonly Finding[] {
  const { nodeId } = node;
  if (node.instanceId === '') {
    return [
      {
        severity: 'warning',
        code: 'NODE_NEVER_CAME',
        nodeId,
        what: `node ${nodeId} is in the node table and was never started`,
        why: 'its id is set aside; nobody counts on it',
        todo: `start it with --join, or take the entry out: shanghaictl node leave ${nodeId}`,
      },
    ];
  }
  return [
    {
      severity: 'error',
      code: 'NODE_UNREACHABLE',
      nodeId,
      what: `node ${nodeId} does not answer at ${node.grpcAddress || 'an address that is not known'}: ${problem ?? 'no answer'}`,
      why: 'where it is a voter, one failure less is survived',
      todo: `start it again, or see to the network; where it is lost: shanghaictl node replace ${nodeId}`,
    },
  ];
}

/** Findings about a node that answered. */
export function presentNode(node: AnsweringNode): readonly Finding[] {
  return [...ofChecks(node), ...ofDisk(node), ...ofFileSystem(node), ...ofProcess(node), ...ofDurability(node)];
}

const checkFindings: Readonly<Record<string, Pick<Finding, 'severity' | 'code' | 'why' | 'todo'>>> = {
  accepting: {
    severity: 'warning',
    code: 'NODE_STOPPING',
    why: 'it takes no new requests',
    todo: 'start it again when it has stopped',
  },
  storage: {
    severity: 'error',
    code: 'STORAGE_FAILED',
    why: 'a write or a sync failed, and what follows cannot be trusted',
    todo: 'read its log, see to the disk, then start the node again',
  },
  space: {
    severity: 'error',
    code: 'DISK_FULL',
    why: 'it takes no writes; it goes on by itself when there is space',
    todo: 'make space on the file system of its data directory',
  },
  disk: {
    severity: 'error',
    code: 'DISK_STALLED',
    why: 'it takes no writes and leads nothing; after 20 s it ends itself',
    todo: 'see to the disk: dmesg, iostat -x 1',
  },
  cluster: {
    severity: 'error',
    code: 'CLUSTER_NOT_MADE',
    why: 'nothing is stored before all first members were up once',
    todo: 'start the other nodes of its initial cluster',
  },
  applied: {
    severity: 'warning',
    code: 'REPLICA_LAGGING',
    why: 'reads here wait, or see what is old',
    todo: 'shanghaictl replicas; where it does not get better, see to its disk and processor',
  },
  peers: {
    severity: 'error',
    code: 'NO_PEER_LISTENER',
    why: 'the other nodes cannot reach it',
    todo: 'start it again with the peer port of its address in the cluster',
  },
  clock: {
    severity: 'error',
    code: 'CLOCK_WRONG',
    why: 'expiry and times of log entries follow the clock of the leader; this one is not trusted any more',
    todo: 'synchronise its clock: timedatectl, chronyc tracking',
  },
};

function ofChecks({ node: { nodeId }, diagnostics }: AnsweringNode): readonly Finding[] {
  const isJudged = ({ name }: HealthCheck) => Object.hasOwn(checkFindings, name);
  return diagnostics.checks
    .filter((check) => !check.ok && isJudged(check))
    .map(({ name, detail }) => ({ ...checkFindingOf(name), nodeId, what: `node ${nodeId} is not ready: ${detail}` }));
}

function checkFindingOf(name: string) {
  return checkFindings[name] as Pick<Finding, 'severity' | 'code' | 'why' | 'todo'>;
}

function ofDisk({ node: { nodeId }, diagnostics }: AnsweringNode): readonly Finding[] {
  const { walSync, diskStalls } = diagnostics;
  const findings: Finding[] = [];
  if (walSync.count >= nodeLimits.leastSyncs && walSync.p99Ms >= nodeLimits.slowSyncP99Ms) {
    const isVerySlow = walSync.p99Ms >= nodeLimits.verySlowSyncP99Ms;
    findings.push({
      severity: isVerySlow ? 'error' : 'warning',
      code: 'DISK_SLOW',
      nodeId,
      what: `syncs of node ${nodeId} take ${ms(walSync.p50Ms)} in the middle and ${ms(walSync.p99Ms)} at the 99th percentile`,
      why: 'every write waits for the sync of a majority; a leader whose disk is silent for an election timeout steps down',
      todo: 'a faster disk of its own for the data directory, or less load; see iostat -x 1',
    });
  }
  if (diskStalls > 0) {
    findings.push({
      severity: 'warning',
      code: 'DISK_STALLED_BEFORE',
      nodeId,
      what: `the disk of node ${nodeId} was silent for longer than a leader may wait, ${diskStalls} times since its start`,
      why: 'each time its groups had to elect another leader',
      todo: 'see what else uses the disk: iostat -x 1, dmesg',
    });
  }
  return findings;
}

const volatileFileSystems: ReadonlySet<string> = new Set(['tmpfs', 'ramfs']);
const networkFileSystems: ReadonlySet<string> = new Set(['nfs', 'cifs', 'smb2', '9p', 'fuse', 'ceph']);

function ofFileSystem({ node: { nodeId }, diagnostics }: AnsweringNode): readonly Finding[] {
  const { type, totalBytes, availableBytes } = diagnostics.fileSystem;
  const about = { nodeId, what: `the data directory of node ${nodeId} lies on ${type}` };
  const todo = 'move it, with the node stopped, to a local disk (ext4, xfs)';
  const findings: Finding[] = [];
  if (volatileFileSystems.has(type)) {
    const why = 'it is memory: what was acknowledged is gone when the machine stops';
    findings.push({ severity: 'error', code: 'DISK_VOLATILE', ...about, why, todo });
  }
  if (networkFileSystems.has(type)) {
    const why = 'locks and syncs over a network are slower, and weaker than what is promised to callers';
    findings.push({ severity: 'warning', code: 'DISK_REMOTE', ...about, why, todo });
  }
  if (type === 'overlayfs') {
    const why = 'it is a layer of a container, and goes with it';
    findings.push({ severity: 'warning', code: 'DISK_OF_CONTAINER', ...about, why, todo: 'mount a volume for it' });
  }
  const share = totalBytes === 0 ? 1 : availableBytes / totalBytes;
  if (share < nodeLimits.lowSpaceShare) {
    findings.push({
      severity: share < nodeLimits.noSpaceShare ? 'error' : 'warning',
      code: 'DISK_NEARLY_FULL',
      nodeId,
      what: `${(share * 100).toFixed(1)} % of the file system of node ${nodeId} is left (${(availableBytes / 2 ** 30).toFixed(1)} GiB)`,
      why: 'a full disk takes no writes, and merges need space to make space',
      todo: 'make space; how much a merge would give back: shanghaictl kv stats',
    });
  }
  return findings;
}

function ofProcess({ node: { nodeId }, diagnostics }: AnsweringNode): readonly Finding[] {
  const { openFiles, maxOpenFiles, heapBytes, maxHeapBytes, eventLoopP99Ms } = diagnostics.process;
  const findings: Finding[] = [];
  const isFilling = maxOpenFiles > 0 && openFiles > nodeLimits.usedOpenFilesShare * maxOpenFiles;
  if (isFilling || (maxOpenFiles > 0 && maxOpenFiles < nodeLimits.fewOpenFiles)) {
    findings.push({
      severity: isFilling ? 'error' : 'warning',
      code: 'FEW_OPEN_FILES',
      nodeId,
      what: `node ${nodeId} has ${openFiles} of ${maxOpenFiles} files open`,
      why: 'each connection and each data file needs one; without any the node can neither listen nor write',
      todo: 'raise the limit: ulimit -n 65536, or LimitNOFILE=65536 of the service',
    });
  }
  if (maxHeapBytes > 0 && heapBytes > nodeLimits.fullHeapShare * maxHeapBytes) {
    findings.push({
      severity: 'warning',
      code: 'MEMORY_NEARLY_FULL',
      nodeId,
      what: `node ${nodeId} uses ${((heapBytes / maxHeapBytes) * 100).toFixed(0)} % of the heap it may have`,
      why: 'collecting garbage takes most of its time then, and at the limit it ends',
      todo: 'start it with NODE_OPTIONS=--max-old-space-size=<MiB>, or lower max-in-flight-bytes',
    });
  }
  if (eventLoopP99Ms >= nodeLimits.lateEventLoopMs) {
    findings.push({
      severity: 'warning',
      code: 'PROCESS_LATE',
      nodeId,
      what: `the event loop of node ${nodeId} was late by ${ms(eventLoopP99Ms)} at the 99th percentile`,
      why: 'heartbeats and answers wait as long; late for an election timeout, it loses its leadership',
      todo: 'give it a processor core of its own, or less load',
    });
  }
  return findings;
}

function ofDurability({ node: { nodeId }, diagnostics: { durability } }: AnsweringNode): readonly Finding[] {
  if (durability === 'always') return [];
  return [
    {
      severity: 'info',
      code: 'NOT_SYNCED',
      nodeId,
      what: `node ${nodeId} answers writes before they are synced (durability ${durability})`,
      why: 'a power failure may take the last writes that were acknowledged',
      todo: 'where that matters, start it with --durability always',
    },
  ];
}

/** A duration for people. */
export function ms(value: number): string {
  return value < 10_000 ? `${value < 10 ? value.toFixed(1) : Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`;
}
