/**
 * One snapshot that comes in. What comes is dealt with in its order, one frame after the other; the window keeps what
 * waits for the disk small. However it ends, the sink hears of it once: completed, or abandoned.
 */
import { status } from '@grpc/grpc-js';
import type { Clock, Timer } from '@shanghai/env';
import type { GroupMessage, PeerHandlers } from '../ports/peer-transport.js';
import type { SnapshotFile, SnapshotSink } from '../ports/state-machine.js';
import { Fragments } from '../wire/frame-codec.js';
import { PeerError } from '../wire/peer-error.js';
import {
  decodeSenderFrame,
  doneFrame,
  encodeBegin,
  encodeTaken,
  maxOfferBytes,
  type SenderFrame,
  weightOf,
} from '../wire/snapshot-codec.js';
import { type IncomingSettings, type PeerCall, type RemotePeer, refuse } from './incoming-streams.js';

/** What a snapshot's stream is given. */
export interface SnapshotReceiverSettings extends IncomingSettings {
  readonly clock: Clock;
  readonly handlers: () => PeerHandlers | undefined;
  /** Asked once the group is known; resolves when it may come in. `undefined`: there are too many. */
  readonly claim: (receiver: SnapshotReceiver, groupId: number) => Promise<boolean>;
}

/** A stream of a snapshot, from the hello on. */
export class SnapshotReceiver {
  readonly peer: RemotePeer;
  /** Resolves when it is over and the sink knows. */
  readonly settled: Promise<void>;
  readonly #settings: SnapshotReceiverSettings;
  readonly #call: PeerCall;
  readonly #fragments = new Fragments(maxOfferBytes);
  #settle: () => void = () => undefined;
  #work: Promise<void> = Promise.resolve();
  #idle: Timer | undefined;
  #offer: GroupMessage | undefined;
  #files: readonly SnapshotFile[] = [];
  #sink: SnapshotSink | undefined;
  /** The file that is being written, and from where on. */
  #file = 0;
  #offset = 0;
  #have: readonly number[] = [];
  #waitingWeight = 0;
  #takenWeight = 0;
  #isWorking = false;
  #isOver = false;

  constructor(settings: SnapshotReceiverSettings, call: PeerCall, peer: RemotePeer) {
    this.#settings = settings;
    this.#call = call;
    this.peer = peer;
    this.settled = new Promise((resolve) => {
      this.#settle = resolve;
    });
    call.on('data', (frame: Uint8Array) => this.#receive(frame));
    call.on('end', () => this.#enqueue(async () => this.end(status.OK, 'it hung up')));
    call.on('error', () => this.end(status.CANCELLED, 'the connection broke'));
    call.on('cancelled', () => this.end(status.CANCELLED, 'the connection broke'));
    this.#watch();
  }

  /** Ends it; idempotent. */
  end(code: status, reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#idle?.cancel();
    this.#settings.listener.disconnected?.({
      nodeId: this.peer.nodeId,
      lane: 'snapshot',
      direction: 'in',
      reason,
    });
    refuse(this.#call, code, reason);
    // What waits is left out; what is being written is waited for.
    void this.#work.then(async () => {
      await this.#sink?.abandon().catch(() => undefined);
      this.#settle();
    });
  }

  /** Breaks off who is silent; says that this node is not while it works. */
  #watch(): void {
    const { clock, limits } = this.#settings;
    let silentRounds = 0;
    let seen = this.#takenWeight + this.#waitingWeight;
    const round = () => {
      const now = this.#takenWeight + this.#waitingWeight;
      silentRounds = now === seen && !this.#isWorking ? silentRounds + 1 : 0;
      seen = now;
      if (silentRounds >= 3) {
        this.end(status.DEADLINE_EXCEEDED, 'nothing came any more');
        return;
      }
      if (this.#offer !== undefined) this.#say(encodeTaken(this.#takenWeight));
      this.#idle = clock.setTimer(limits.snapshotIdleMs / 3, round);
    };
    this.#idle = clock.setTimer(limits.snapshotIdleMs / 3, round);
  }

  #receive(bytes: Uint8Array): void {
    if (this.#isOver) return;
    this.#settings.listener.received?.(this.peer.nodeId, 'snapshot', bytes.length);
    try {
      const whole = this.#fragments.take(bytes);
      if (whole === undefined) return;
      const frame = decodeSenderFrame(whole, this.peer.nodeId, this.#settings.self.nodeId);
      if (frame.type === 'chunk') this.#waitingWeight += weightOf(frame.bytes.length);
      if (this.#waitingWeight > this.#settings.limits.snapshotWindowBytes) {
        throw new PeerError('MALFORMED', 'more than the window has room for');
      }
      this.#enqueue(() => this.#take(frame));
    } catch (error) {
      this.#fail(error);
    }
  }

  #enqueue(step: () => Promise<void>): void {
    this.#work = this.#work.then(async () => {
      if (this.#isOver) return;
      this.#isWorking = true;
      try {
        await step();
      } catch (error) {
        this.#fail(error);
      } finally {
        this.#isWorking = false;
      }
    });
  }

  #take(frame: SenderFrame): Promise<void> {
    if (frame.type === 'offer') return this.#takeOffer(frame.offer, frame.files);
    if (this.#sink === undefined) throw new PeerError('MALFORMED', `a snapshot's ${frame.type} before its offer`);
    if (frame.type === 'end') return this.#complete(this.#sink);
    return this.#write(this.#sink, frame.file, frame.offset, frame.bytes);
  }

  async #takeOffer(offer: GroupMessage, files: readonly SnapshotFile[]): Promise<void> {
    if (this.#offer !== undefined) throw new PeerError('MALFORMED', 'a second offer');
    const { claim, handlers, limits } = this.#settings;
    if (!(await claim(this, offer.groupId))) {
      throw new PeerError('BUSY', `${limits.maxSnapshotsReceived} snapshots are coming in already; later`);
    }
    if (this.#isOver) return;
    this.#offer = offer;
    this.#files = files;
    const sink = await handlers()?.onSnapshot(this.peer.nodeId, offer);
    if (sink === undefined) throw new PeerError('CLOSED', 'this node does not take part any more');
    this.#sink = sink;
    this.#have = await sink.begin(files);
    for (const [at, { bytes, name }] of files.entries()) {
      const have = this.#have[at];
      if (have === undefined || have > bytes) throw new RangeError(`the sink has ${have} bytes of '${name}'`);
    }
    this.#offset = this.#have[0] ?? 0;
    this.#skipWhatIsThere();
    this.#say(encodeBegin(limits.snapshotWindowBytes, this.#have));
  }

  async #write(sink: SnapshotSink, file: number, offset: number, bytes: Uint8Array): Promise<void> {
    const expected = this.#files[this.#file];
    const fits = expected !== undefined && file === this.#file && offset === this.#offset;
    if (!fits || offset + bytes.length > expected.bytes) {
      throw new PeerError('MALFORMED', `file ${file} at ${offset} where file ${this.#file} at ${this.#offset} is next`);
    }
    await sink.write(expected.name, offset, bytes);
    this.#offset += bytes.length;
    this.#skipWhatIsThere();
    const weight = weightOf(bytes.length);
    this.#waitingWeight -= weight;
    this.#takenWeight += weight;
    this.#say(encodeTaken(this.#takenWeight));
  }

  #skipWhatIsThere(): void {
    for (let file = this.#files[this.#file]; file !== undefined; file = this.#files[this.#file]) {
      if (this.#offset < file.bytes) return;
      this.#file++;
      this.#offset = this.#have[this.#file] ?? 0;
    }
  }

  async #complete(sink: SnapshotSink): Promise<void> {
    if (this.#file < this.#files.length) throw new PeerError('MALFORMED', 'an end before the end of the files');
    try {
      await sink.complete();
    } catch (error) {
      throw new PeerError('SNAPSHOT_DAMAGED', `the snapshot could not be completed: ${textOf(error)}`, {
        cause: error,
      });
    } finally {
      this.#sink = undefined;
    }
    this.#say(doneFrame);
    this.end(status.OK, 'it is here');
  }

  #say(frame: Uint8Array): void {
    if (!this.#isOver) this.#call.write(frame);
  }

  #fail(error: unknown): void {
    const code = error instanceof PeerError ? error.code : undefined;
    if (code === 'MALFORMED') this.end(status.INVALID_ARGUMENT, textOf(error));
    else if (code === 'SNAPSHOT_DAMAGED') this.end(status.DATA_LOSS, textOf(error));
    else if (code === 'BUSY') this.end(status.RESOURCE_EXHAUSTED, textOf(error));
    else if (code === 'CLOSED') this.end(status.UNAVAILABLE, textOf(error));
    else this.end(status.ABORTED, `the snapshot is not taken: ${textOf(error)}`);
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
