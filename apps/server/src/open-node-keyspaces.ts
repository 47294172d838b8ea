/** The keyspaces of a node that is being opened: those that groups hold, and those that every node writes. */
import { AllKeyspaces } from './keyspaces/all-keyspaces.js';
import type { KeyspaceRequests } from './keyspaces/keyspace-requests.js';
import { KeyspaceService } from './keyspaces/keyspace-service.js';
import { KeyspaceSettler } from './keyspaces/keyspace-settler.js';
import { MultiMasterKeys } from './keyspaces/multi-master-keys.js';
import type { NodeGroups } from './open-node-groups.js';
import type { NodeBeingOpened } from './open-node-storage.js';
import type { MultiMaster } from './replication/multi-master.js';
import type { Gate } from './requests/gate.js';
import type { KeyValueRequests } from './requests/key-value-requests.js';

/** What it consists of. */
export interface NodeKeyspaces {
  /** Requests to keys of both kinds. */
  readonly keyValue: KeyValueRequests;
  readonly keyspaces: KeyspaceRequests;
  readonly settler: KeyspaceSettler;
}

/** Makes it. `quorum`: the keys that groups hold. */
export function openKeyspaces(
  { settings }: NodeBeingOpened,
  { system }: NodeGroups,
  parts: { readonly gate: Gate; readonly multiMaster: MultiMaster; readonly quorum: KeyValueRequests },
): NodeKeyspaces {
  const { clock, limits } = settings;
  const { gate, multiMaster, quorum } = parts;
  const keys = new MultiMasterKeys({ multiMaster, limits, gate, clock });
  return {
    keyValue: new AllKeyspaces({ system, quorum, multiMaster: keys }),
    keyspaces: new KeyspaceService({ system, multiMaster, keys, gate }),
    settler: new KeyspaceSettler({ system, multiMaster, clock }),
  };
}
