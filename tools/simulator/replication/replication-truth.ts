/**
 * What was written, and what must hold of it at every step: an entry has one content for ever, copies have no gaps and
 * nothing that was not durable at its origin, credit is kept to, and marks and acknowledgements tell the truth.
 */
import {
  type ControlMessage,
  compareHlc,
  type DataMessage,
  type OriginMark,
  type StreamId,
  streamKey,
} from '@shanghai/replication';
import type { MemoryEntryDirectory } from '@shanghai/replication/testing';
import { markOf } from '../../../packages/replication/src/core/origin-marks.js';
import { stampOfPayload } from '../../../packages/replication/src/core/stamped-payload.js';

/** A promise that was broken. */
export class ReplicationViolation extends Error {}

/** One session, as who listens on it reckons. */
interface SessionAccount {
  readonly windowEntries: number;
  readonly windowBytes: number;
  entries: number;
  bytes: number;
  /** What was shipped and not yet granted again, in its order. */
  readonly underWay: { readonly stream: StreamId | undefined; readonly last: number; entries: number; bytes: number }[];
}

/** The one that knows all. */
export class ReplicationTruth {
  /** By stream: payloads as text, from sequence 1 on, as they became durable at their origin. */
  readonly written = new Map<string, { readonly stream: StreamId; readonly payloads: Map<number, string> }>();
  /** Streams of which an origin lost entries: its marks do not speak of those. */
  readonly lostBy = new Map<string, number>();
  readonly #accounts = new Map<number, SessionAccount>();
  readonly #directories: Map<number, MemoryEntryDirectory>;
  /** By node and stream: up to where its copy was compared. */
  readonly #checked = new Map<string, number>();

  constructor(directories: Map<number, MemoryEntryDirectory>) {
    this.#directories = directories;
  }

  /** Streams of a node's copy have changed. */
  changed(nodeId: number, streams: readonly StreamId[]): void {
    const directory = this.#directories.get(nodeId) as MemoryEntryDirectory;
    for (const stream of streams) {
      const key = streamKey(stream);
      const kept = directory.streams.get(key);
      if (kept === undefined) continue;
      const at = `${nodeId} ${key}`;
      const last = kept.firstSequence + kept.payloads.length - 1;
      const from = Math.max(kept.firstSequence, (this.#checked.get(at) ?? 0) + 1);
      for (let sequence = from; sequence <= last; sequence++) {
        this.#check(nodeId, stream, sequence, textOf(kept.payloads[sequence - kept.firstSequence] as Uint8Array));
      }
      this.#checked.set(at, last);
    }
  }

  /** A node was put on another directory: `before` is what it had. */
  replaced(nodeId: number, before: MemoryEntryDirectory): void {
    for (const key of [...this.#checked.keys()]) if (key.startsWith(`${nodeId} `)) this.#checked.delete(key);
    const directory = this.#directories.get(nodeId) as MemoryEntryDirectory;
    for (const { stream } of before.streams.values()) {
      if (stream.origin !== nodeId || directory.lastOf(stream) >= before.lastOf(stream)) continue;
      const key = streamKey(stream);
      this.lostBy.set(key, Math.min(this.lostBy.get(key) ?? Number.POSITIVE_INFINITY, directory.lastOf(stream)));
    }
  }

  /** A node has taken over what a mark says. */
  marked(nodeId: number, mark: OriginMark): void {
    const directory = this.#directories.get(nodeId) as MemoryEntryDirectory;
    for (const [key, { stream, payloads }] of this.written) {
      if (stream.origin !== mark.origin) continue;
      const lostFrom = this.lostBy.get(key) ?? Number.POSITIVE_INFINITY;
      const upTo = markOf(mark, stream.logId);
      const held = directory.lastOf(stream);
      for (let sequence = held + 1; payloads.has(sequence) && sequence <= lostFrom; sequence++) {
        const hlc = stampOfPayload(Buffer.from(payloads.get(sequence) as string, 'latin1'));
        if (hlc !== undefined && compareHlc(hlc, upTo) <= 0) {
          throw new ReplicationViolation(
            `node ${nodeId} has a mark over entry ${sequence} of ${key}, and holds ${held}`,
          );
        }
      }
    }
  }

  /** An append was said to be held by so many. */
  acknowledged(stream: StreamId, sequence: number, needed: number): void {
    let holders = 0;
    for (const directory of this.#directories.values()) if (directory.lastOf(stream) >= sequence) holders++;
    if (holders < needed) {
      throw new ReplicationViolation(
        `entry ${sequence} of ${streamKey(stream)} was acknowledged as held by ${needed}, ${holders} do`,
      );
    }
  }

  /** Something was sent. */
  sent(from: number, to: number, message: ControlMessage | DataMessage, session: number): void {
    switch (message.type) {
      case 'grant':
        this.#granted(from, message, session);
        return;
      case 'run': {
        const { stream, firstSequence, count, bytes } = message.run;
        const known = this.written.get(streamKey(stream))?.payloads;
        const last = firstSequence + count - 1;
        if (known === undefined || !known.has(last)) {
          throw new ReplicationViolation(
            `node ${from} ships ${streamKey(stream)} to ${last}, which is not durable at its origin`,
          );
        }
        if ((this.#directories.get(from) as MemoryEntryDirectory).lastOf(stream) < last) {
          throw new ReplicationViolation(
            `node ${from} ships entry ${last} of ${streamKey(stream)}, which it does not hold`,
          );
        }
        this.#spent(to, session, { stream, last, entries: count, bytes: bytes.length });
        return;
      }
      case 'rows':
        this.#spent(to, session, { stream: undefined, last: 0, entries: 1, bytes: message.rows.length });
        return;
      default:
        return;
    }
  }

  #granted(follower: number, amount: { readonly entries: number; readonly bytes: number }, session: number): void {
    const account = this.#accounts.get(session);
    if (account === undefined) {
      const { entries, bytes } = amount;
      this.#accounts.set(session, { windowEntries: entries, windowBytes: bytes, entries, bytes, underWay: [] });
      return;
    }
    let { entries, bytes } = amount;
    account.entries += entries;
    account.bytes += bytes;
    const directory = this.#directories.get(follower) as MemoryEntryDirectory;
    while (entries > 0 || bytes > 0) {
      const first = account.underWay[0];
      if (first === undefined || first.entries > entries || first.bytes > bytes) {
        throw new ReplicationViolation(
          `node ${follower} grants ${JSON.stringify(amount)} again, of ${JSON.stringify(account)}`,
        );
      }
      if (first.stream !== undefined && directory.lastOf(first.stream) < first.last) {
        throw new ReplicationViolation(
          `node ${follower} grants credit again for ${streamKey(first.stream)} ${first.last}, which is not durable`,
        );
      }
      entries -= first.entries;
      bytes -= first.bytes;
      account.underWay.shift();
    }
  }

  #spent(follower: number, session: number, item: SessionAccount['underWay'][number]): void {
    const account = this.#accounts.get(session);
    if (account === undefined)
      throw new ReplicationViolation(`something is shipped to node ${follower} before a grant`);
    const isAlone = account.underWay.length === 0 && item.entries === 1;
    if (!isAlone && (item.entries > account.entries || item.bytes > account.bytes)) {
      throw new ReplicationViolation(
        `node ${follower} granted ${account.entries} entries, ${item.entries} are shipped`,
      );
    }
    account.entries -= item.entries;
    account.bytes -= item.bytes;
    account.underWay.push({ ...item });
  }

  #check(nodeId: number, stream: StreamId, sequence: number, text: string): void {
    const key = streamKey(stream);
    let of = this.written.get(key);
    if (of === undefined) {
      of = { stream, payloads: new Map() };
      this.written.set(key, of);
    }
    const known = of.payloads.get(sequence);
    if (known === undefined) {
      if (nodeId !== stream.origin)
        throw new ReplicationViolation(`node ${nodeId} holds ${key} ${sequence} before its origin`);
      of.payloads.set(sequence, text);
    } else if (known !== text)
      throw new ReplicationViolation(`node ${nodeId} holds another entry ${sequence} of ${key}`);
  }
}

function textOf(payload: Uint8Array): string {
  return Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString('latin1');
}
