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
    }
  | { readonly type: 'putNode'; readonly node: NodeEntry }
  | { readonly type: 'createKeyspace'; readonly name: string }
  | { readonly type: 'createLog'; readonly name: string; readonly settings: LogSettings; readonly origin: number }
  | { readonly type: 'deleteLog'; readonly name: string };

/** Reads a change from its JSON bytes. Anything else: `RangeError`. */
export function parseCatalogueCommand(bytes: Uint8Array): CatalogueCommand {
  const parsed: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  if (typeof parsed !== 'object' || parsed === null || !('type' in parsed) || typeof parsed.type !== 'string') {
    throw new RangeError('a catalogue change is a JSON object with a type');
  }
  const fields = requiredFields[parsed.type as CatalogueCommand['type']];
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
  createKeyspace: { name: 'string' },
  createLog: { name: 'string', settings: 'object', origin: 'number' },
  deleteLog: { name: 'string' },
};
