/**
 * Proposed changes of a configuration. One change at a time is safe by itself (simple); several go through a joint
 * configuration, which is left by itself (implicit) or by another, empty change (explicit).
 */
import { RaftError } from '../raft-error.js';

/** What happens to one node. `update` changes nothing here: it lets the application carry a message. */
export type ConfChangeType = 'addNode' | 'addLearner' | 'removeNode' | 'updateNode';

/** One node's part of a change. A node id of 0 is ignored: the application has withdrawn it. */
export interface ConfChangeSingle {
  readonly type: ConfChangeType;
  readonly nodeId: number;
}

/** How a joint configuration is left. `auto`: joint only where more than one node changes, and then left by itself. */
export type ConfChangeTransition = 'auto' | 'implicit' | 'explicit';

/** A change of the configuration. Without changes and with `auto` it leaves the joint configuration. */
export interface ConfChange {
  readonly transition: ConfChangeTransition;
  readonly changes: readonly ConfChangeSingle[];
  /** The application's own; handed back when it applies. */
  readonly context?: Uint8Array;
}

/** Whether a change only leaves the joint configuration. */
export function leavesJoint({ transition, changes }: ConfChange): boolean {
  return transition === 'auto' && changes.length === 0;
}

/** Whether a change needs a joint configuration, and whether that is left by itself; `undefined` for a simple one. */
export function entersJoint({ transition, changes }: ConfChange): { readonly autoLeave: boolean } | undefined {
  if (transition === 'auto' && changes.length <= 1) return undefined;
  return { autoLeave: transition !== 'explicit' };
}

const version = 1;
const headBytes = 4;
const changeBytes = 9;
const transitions: readonly ConfChangeTransition[] = ['auto', 'implicit', 'explicit'];
const types: readonly ConfChangeType[] = ['addNode', 'removeNode', 'updateNode', 'addLearner'];

/** Version, transition, number of changes (u16), then type (u8) and node id (u64) of each, little-endian, then the context. */
export function encodeConfChange({ transition, changes, context }: ConfChange): Uint8Array {
  const bytes = new Uint8Array(headBytes + changes.length * changeBytes + (context?.length ?? 0));
  const view = new DataView(bytes.buffer);
  bytes[0] = version;
  bytes[1] = transitions.indexOf(transition);
  view.setUint16(2, changes.length, true);
  let at = headBytes;
  for (const { type, nodeId } of changes) {
    bytes[at] = types.indexOf(type);
    view.setUint32(at + 1, nodeId % 2 ** 32, true);
    view.setUint32(at + 5, Math.floor(nodeId / 2 ** 32), true);
    at += changeBytes;
  }
  if (context !== undefined) bytes.set(context, at);
  return bytes;
}

/** Reads what `encodeConfChange` wrote; no bytes are a change that leaves the joint configuration. Throws `RaftError` `CORRUPT`. */
export function decodeConfChange(bytes: Uint8Array): ConfChange {
  if (bytes.length === 0) return { transition: 'auto', changes: [] };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const transition = transitions[bytes[1] ?? -1];
  if (bytes.length < headBytes || bytes[0] !== version || transition === undefined) throw damaged(bytes);
  const count = view.getUint16(2, true);
  const end = headBytes + count * changeBytes;
  if (bytes.length < end) throw damaged(bytes);
  const changes: ConfChangeSingle[] = [];
  for (let at = headBytes; at < end; at += changeBytes) {
    const type = types[bytes[at] as number];
    const nodeId = view.getUint32(at + 1, true) + view.getUint32(at + 5, true) * 2 ** 32;
    if (type === undefined || !Number.isSafeInteger(nodeId)) throw damaged(bytes);
    changes.push({ type, nodeId });
  }
  return bytes.length === end ? { transition, changes } : { transition, changes, context: bytes.slice(end) };
}

function damaged(bytes: Uint8Array): RaftError {
  return new RaftError('CORRUPT', `a configuration change of ${bytes.length} bytes cannot be read`);
}
