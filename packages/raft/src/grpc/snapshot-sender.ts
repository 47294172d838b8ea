/**
 * Sends a snapshot: offers it, hears what the receiver has, and sends the rest in chunks, no more at a time than the
 * receiver's disk has room for in its window. A stream that breaks is begun anew, from where it was; one that never gets
 * anywhere is given up.
 */
import { delay, type Random, type Timer } from '@shanghai/env';
import type { GroupMessage, Peer } from '../ports/peer-transport.js';
import type { SnapshotFile, SnapshotSource } from '../ports/state-machine.js';
import { fragmentsOf } from '../wire/frame-codec.js';
import { PeerError } from '../wire/peer-error.js';
import {
  decodeReceiverFrame,
  encodeChunk,
  encodeOffer,
  endFrame,
  maxChunkBytes,
  type ReceiverFrame,
  weightOf,
} from '../wire/snapshot-codec.js';
import type { ByteRate } from './byte-rate.js';
import { type DialledStream, type DialSettings, dialStream } from './dialled-stream.js';
import type { GrpcPeersListener } from './grpc-peers-options.js';

/** What sending takes. */
export interface SnapshotSenderSettings extends DialSettings {
  readonly random: Random;
  readonly listener: GrpcPeersListener;
  readonly rate: ByteRate;
}

/** Attempts in a row that bring nothing forward. */
const maxFailures = 3;

/** Resolves when the peer has it durably; rejects with `PeerError`, what the source failed with, or the signal's reason. */
export async function sendSnapshotTo(
  settings: SnapshotSenderSettings,
  peer: Peer,
  offer: GroupMessage,
  source: SnapshotSource | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { clock, limits, random } = settings;
  signal.throwIfAborted();
  const files = (await source?.files()) ?? [];
  const frame = encodeOffer(offer, files, settings.self.nodeId);
  for (let failures = 0; ; ) {
    signal.throwIfAborted();
    const attempt = new Attempt(settings, peer, files, source, signal);
    try {
      await attempt.run(frame);
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (!mayTryAgain(error)) throw error;
      if (attempt.written > 0) failures = 0;
      else if (error.code !== 'BUSY') failures++;
      if (failures >= maxFailures) throw error;
    }
    await delay(clock, limits.retryMaxMs * (0.5 + random.float() / 2), signal);
  }
}

function mayTryAgain(error: unknown): error is PeerError {
  if (!(error instanceof PeerError)) return false;
  return error.code === 'UNREACHABLE' || error.code === 'BUSY' || error.code === 'SNAPSHOT_DAMAGED';
}

/** One stream. */
class Attempt {
  readonly #settings: SnapshotSenderSettings;
  readonly #peer: Peer;
  readonly #files: readonly SnapshotFile[];
  readonly #source: SnapshotSource | undefined;
  /** Aborts when the stream has ended too. */
  readonly #over = new AbortController();
  readonly #signal: AbortSignal;
  #stream: DialledStream | undefined;
  #idle: Timer | undefined;
  #wake: () => void = () => undefined;
  #isOpen = false;
  #begin: Extract<ReceiverFrame, { type: 'begin' }> | undefined;
  #isDone = false;
  #sentWeight = 0;
  #takenWeight = 0;

  constructor(
    settings: SnapshotSenderSettings,
    peer: Peer,
    files: readonly SnapshotFile[],
    source: SnapshotSource | undefined,
    signal: AbortSignal,
  ) {
    this.#settings = settings;
    this.#peer = peer;
    this.#files = files;
    this.#source = source;
    this.#signal = AbortSignal.any([signal, this.#over.signal]);
  }

  /** What the receiver has written, more or less. */
  get written(): number {
    return this.#takenWeight;
  }

  async run(offer: Uint8Array): Promise<void> {
    const { listener, limits, clock } = this.#settings;
    const event = { nodeId: this.#peer.nodeId, lane: 'snapshot' as const, direction: 'out' as const };
    const onAbort = () => this.#wake();
    this.#signal.addEventListener('abort', onAbort);
    const stayAlive = () => {
      this.#idle?.cancel();
      this.#idle = clock.setTimer(limits.snapshotIdleMs, () => {
        this.#over.abort(new PeerError('UNREACHABLE', `node ${this.#peer.nodeId} is silent about a snapshot`));
      });
    };
    this.#stream = dialStream(this.#settings, this.#peer, 'snapshot', {
      onOpen: () => {
        this.#isOpen = true;
        listener.connected?.(event);
        stayAlive();
        this.#wake();
      },
      onFrame: (frame) => {
        stayAlive();
        this.#take(frame);
      },
      onEnd: (error) => this.#over.abort(error),
    });
    let reason = '';
    try {
      await this.#send(offer);
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
      throw error;
    } finally {
      this.#idle?.cancel();
      this.#signal.removeEventListener('abort', onAbort);
      this.#stream.close();
      if (this.#isOpen) listener.disconnected?.({ ...event, reason });
    }
  }

  async #send(offer: Uint8Array): Promise<void> {
    await this.#until(() => this.#isOpen);
    for (const part of fragmentsOf(offer)) this.#write(part);
    await this.#until(() => this.#begin !== undefined);
    for (const [number, file] of this.#files.entries()) await this.#sendFile(number, file);
    this.#write(endFrame);
    await this.#until(() => this.#isDone);
  }

  async #sendFile(number: number, file: SnapshotFile): Promise<void> {
    const { window, have } = this.#begin as Extract<ReceiverFrame, { type: 'begin' }>;
    const source = this.#source as SnapshotSource;
    for (let offset = have[number] ?? 0; offset < file.bytes; ) {
      const length = Math.min(maxChunkBytes, file.bytes - offset);
      const bytes = await source.read(file.name, offset, length);
      if (bytes.length !== length) throw new RangeError(`'${file.name}' gave ${bytes.length} bytes, not ${length}`);
      const weight = weightOf(length);
      await this.#until(() => this.#sentWeight + weight - this.#takenWeight <= window);
      await this.#settings.rate.take(length, this.#signal);
      this.#sentWeight += weight;
      this.#write(encodeChunk(number, offset, bytes));
      offset += length;
    }
  }

  #write(frame: Uint8Array): void {
    this.#signal.throwIfAborted();
    this.#stream?.write(frame, () => undefined);
    this.#settings.listener.sent?.(this.#peer.nodeId, 'snapshot', frame.length);
  }

  #take(frame: Uint8Array): void {
    try {
      const said = decodeReceiverFrame(frame);
      if (said.type === 'begin') this.#takeBegin(said);
      else if (said.type === 'taken') this.#takeTaken(said.weight);
      else this.#isDone = true;
    } catch (error) {
      this.#over.abort(error);
    }
    this.#wake();
  }

  #takeBegin(begin: Extract<ReceiverFrame, { type: 'begin' }>): void {
    const files = this.#files;
    const fits = begin.have.length === files.length && files.every(({ bytes }, at) => (begin.have[at] ?? 0) <= bytes);
    if (!fits || begin.window < weightOf(maxChunkBytes) || this.#begin !== undefined) {
      throw new PeerError('MALFORMED', `node ${this.#peer.nodeId} has other files than were offered`);
    }
    this.#begin = begin;
  }

  #takeTaken(weight: number): void {
    if (weight > this.#sentWeight) {
      throw new PeerError('MALFORMED', `node ${this.#peer.nodeId} took more than was sent`);
    }
    this.#takenWeight = Math.max(this.#takenWeight, weight);
  }

  /** Waits for something the receiver says. One at a time. */
  async #until(isSo: () => boolean): Promise<void> {
    for (;;) {
      // What was said before a stream ended counts.
      if (isSo()) return;
      this.#signal.throwIfAborted();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
