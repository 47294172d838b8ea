import type { LogSettings } from '../logs/log-requests.js';

/** A node of the cluster as the node table keeps it. */
export interface NodeEntry {
  readonly nodeId: number;
  readonly name: string;
  readonly instanceId: string;
  readonly grpcAddress: string;
  readonly httpAddress: string;
  readonly peerAddress: string;
  /** What it runs. Absent: the first release, which did not say. */
  readonly versions?: NodeVersions;
  /** Where it stands. Absent: a member that was one before the table told. */
  readonly state?: 'joining' | 'member' | 'leaving' | 'removed';
  /** Of one that leaves: the node that takes its place, 0 = whichever joins. Absent: none need. */
  readonly replacedBy?: number;
  /** The groups it is in, as their leaders reported: while it joins those that have it, while it leaves those that still do. */
  readonly groups?: readonly number[];
  /** What its id was set aside with. */
  readonly reservation?: string;
}

/** What a node runs: its program, and the cluster versions that this supports, from the lowest to the highest. */
export interface NodeVersions {
  readonly program: string;
  readonly lowest: number;
  readonly highest: number;
}

/** Changes of the system group's state. They travel as JSON: rare, and easy to extend. */
export type CatalogueCommand =
  | {
      readonly type: 'bootstrap';
      readonly clusterId: string;
      readonly clusterVersion: number;
      readonly slots: number;
      readonly maxValueBytes: number;
      /** Voters of a group. Absent: 3, and groups that have more keep them. */
      readonly replicationFactor?: number;
    }
  | { readonly type: 'putNode'; readonly node: NodeEntry }
  | {
      /** A node of which nothing is known yet. `nodeId` 0: the next free one. `instanceId` empty: its id is only set aside. */
      readonly type: 'joinNode';
      readonly nodeId: number;
      readonly name: string;
      readonly instanceId: string;
      readonly peerAddress: string;
      /** Tells reservations apart; empty where there is none. */
      readonly reservation: string;
      /** What it runs. Absent: it has not said yet. */
      readonly versions?: NodeVersions;
    }
  | { readonly type: 'leaveNode'; readonly nodeId: number; readonly force: boolean }
  | {
      readonly type: 'replaceNode';
      readonly nodeId: number;
      /** 0 = whichever joins. */
      readonly replacedBy: number;
      readonly force: boolean;
    }
  /** A group has a node, or has it no more: reported by the group's leader. */
  | { readonly type: 'placeNode'; readonly nodeId: number; readonly groupId: number; readonly isIn: boolean }
  | {
      /** Offline, after a lost quorum: one node is all that is left. */
      readonly type: 'recovered';
      readonly nodeId: number;
      readonly instanceId: string;
      /** Whoever else was in a group or in the table. */
      readonly lost: readonly number[];
      readonly atMs: number;
    }
  | { readonly type: 'setReplication'; readonly factor: number }
  /** By one; every node supports it. */
  | { readonly type: 'raiseClusterVersion'; readonly version: number }
  /** `mode`: `multi-master`, or absent: one that groups order. */
  /** `again`: also where there was one of that name that was deleted; a first write does not say so. */
  | {
      readonly type: 'createKeyspace';
      readonly name: string;
      readonly mode?: 'multi-master';
      readonly again?: boolean;
    }
  | { readonly type: 'deleteKeyspace'; readonly name: string }
  | { readonly type: 'createLog'; readonly name: string; readonly settings: LogSettings; readonly origin: number }
  | { readonly type: 'deleteLog'; readonly name: string }
  /** Gives a node the next epoch that it may write in as an origin. */
  | { readonly type: 'beginEpoch'; readonly nodeId: number }
  /** Counts that a node's program begins to write as an origin. */
  | { readonly type: 'beginRun'; readonly nodeId: number };

/** Reads a change from its JSON bytes. Anything else: `RangeError`. */
export function parseCatalogueCommand(bytes: Uint8Array): CatalogueCommand {
  const parsed = parsedJson(bytes);
  if (typeof parsed !== 'object' || parsed === null || !('type' in parsed) || typeof parsed.type !== 'string') {
    throw new RangeError('a catalogue change is a JSON object with a type');
  }
  const isKnown = Object.hasOwn(requiredFields, parsed.type);
  const fields = isKnown ? requiredFields[parsed.type as CatalogueCommand['type']] : undefined;
  if (fields === undefined) throw new RangeError(`unknown catalogue change '${parsed.type}'`);
  const held = parsed as Record<string, unknown>;
  for (const [name, type] of Object.entries(fields)) {
    if (typeof held[name] !== type || held[name] === null) {
      throw new RangeError(`catalogue change '${parsed.type}' needs a ${type} '${name}'`);
    }
  }
  return parsed as CatalogueCommand;
}

const requiredFields: Readonly<Record<CatalogueCommand['type'], Readonly<Record<string, string>>>> = {
  bootstrap: { clusterId: 'string', clusterVersion: 'number', slots: 'number', maxValueBytes: 'number' },
  putNode: { node: 'object' },
  joinNode: { nodeId: 'number', name: 'string', instanceId: 'string', peerAddress: 'string', reservation: 'string' },
  leaveNode: { nodeId: 'number', force: 'boolean' },
  replaceNode: { nodeId: 'number', replacedBy: 'number', force: 'boolean' },
  placeNode: { nodeId: 'number', groupId: 'number', isIn: 'boolean' },
  recovered: { nodeId: 'number', instanceId: 'string', lost: 'object', atMs: 'number' },
  setReplication: { factor: 'number' },
  raiseClusterVersion: { version: 'number' },
  createKeyspace: { name: 'string' },
  deleteKeyspace: { name: 'string' },
  createLog: { name: 'string', settings: 'object', origin: 'number' },
  deleteLog: { name: 'string' },
  beginEpoch: { nodeId: 'number' },
  beginRun: { nodeId: 'number' },
};

function parsedJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new RangeError(`a catalogue change is no JSON: ${(error as Error).message}`, { cause: error });
  }
}
