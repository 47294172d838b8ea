/** What is still to be told around: of each member its newest record, and to how many it was sent. */
import type { Member } from './member.js';
import { textBytes } from './member-limits.js';

interface Rumour {
  readonly nodeId: number;
  sent: number;
}

/** The queue of gossip: at most one entry a member, so never longer than the view. */
export class Rumours {
  readonly #byNode = new Map<number, Rumour>();

  get size(): number {
    return this.#byNode.size;
  }

  /** A record changed; it is told from the beginning. */
  add(nodeId: number): void {
    this.#byNode.set(nodeId, { nodeId, sent: 0 });
  }

  /**
   * The records of the next frame, which goes to `times` members: those sent least often first, up to a size. Counts them
   * as sent, and drops what was sent `limit` times.
   */
  take(limit: number, times: number, bytes: number, recordOf: (nodeId: number) => Member | undefined): Member[] {
    const ordered = [...this.#byNode.values()].sort((a, b) => a.sent - b.sent);
    const records: Member[] = [];
    let left = bytes;
    for (const rumour of ordered) {
      const record = recordOf(rumour.nodeId);
      if (record === undefined) {
        this.#byNode.delete(rumour.nodeId);
        continue;
      }
      left -= recordBytes(record);
      if (left < 0 && records.length > 0) break;
      records.push(record);
      rumour.sent += times;
      if (rumour.sent >= limit) this.#byNode.delete(rumour.nodeId);
    }
    return records;
  }
}

const bounds = new WeakMap<Member, number>();

/** A bound of what a record takes on the wire. */
export function recordBytes(record: Member): number {
  const known = bounds.get(record);
  if (known !== undefined) return known;
  const { name, address, instanceId, tags } = record;
  let bytes = 32 + textBytes(name) + textBytes(address) + textBytes(instanceId);
  for (const [key, value] of Object.entries(tags)) bytes += 4 + textBytes(key) + textBytes(value);
  bounds.set(record, bytes);
  return bytes;
}

/** To how many members a record is told by each who learns it. */
export function rumourLimit(members: number): number {
  return 4 * Math.ceil(Math.log10(members + 1));
}
