/**
 * What peers dialled. A call is judged by its hello before anything else is done for it; then frames are handed out as
 * they come. One stream a peer and lane: a newer one takes the older one's place, which is dead or will be.
 */
import { type Metadata, type ServerDuplexStream, status } from '@grpc/grpc-js';
import type { PeerHandlers } from '../ports/peer-transport.js';
import { decodeBatch, Fragments, wholeSlackBytes } from '../wire/frame-codec.js';
import { PeerError } from '../wire/peer-error.js';
import type { GrpcPeersLimits, GrpcPeersListener, PeerBook, PeerLane, PeerSelf } from './grpc-peers-options.js';
import { helloAnswer, judgeHello, refusalMetadata } from './hello.js';
import { widenWindow } from './widen-window.js';

/** A call on one of the lanes. */
export type PeerCall = ServerDuplexStream<Uint8Array, Uint8Array>;

/** Who is at the other end of a stream. */
export interface RemotePeer {
  readonly nodeId: number;
  readonly instanceId: string;
  readonly startId: string;
}

/** What judges and hands out. */
export interface IncomingSettings {
  readonly self: PeerSelf;
  readonly book: PeerBook;
  readonly limits: GrpcPeersLimits;
  readonly listener: GrpcPeersListener;
  /** A peer has dialled from `address` and was let in; and such a stream has ended. */
  readonly onAdmitted: (nodeId: number, address: string) => void;
  readonly onEnded: (address: string) => void;
}

/** A stream that was let in. */
interface Admitted {
  readonly peer: RemotePeer;
  end(code: status, reason: string): void;
}

/** The streams of control and log that peers dialled. */
export class IncomingStreams {
  readonly #settings: IncomingSettings;
  readonly #handlers: () => PeerHandlers | undefined;
  readonly #admitted = new Map<string, Admitted>();

  /** `handlers`: nobody as long as, and as soon as, nothing is to be handed out. */
  constructor(settings: IncomingSettings, handlers: () => PeerHandlers | undefined) {
    this.#settings = settings;
    this.#handlers = handlers;
  }

  /** Serves a call of `lane`. */
  serve(lane: 'control' | 'log', call: PeerCall): void {
    if (this.#handlers() === undefined) {
      refuse(call, status.UNAVAILABLE, 'this node does not take part now');
      return;
    }
    const peer = admit(call, lane, this.#settings);
    if (peer === undefined) return;
    const key = `${lane} ${peer.nodeId}`;
    this.#admitted.get(key)?.end(status.CANCELLED, 'a newer stream has taken the place of this one');
    const { listener, limits, self } = this.#settings;
    const event = { nodeId: peer.nodeId, lane, direction: 'in' as const };
    let isOver = false;
    const end = (code: status, reason: string) => {
      if (isOver) return;
      isOver = true;
      if (this.#admitted.get(key) === admitted) this.#admitted.delete(key);
      listener.disconnected?.({ ...event, reason });
      refuse(call, code, reason);
    };
    const admitted: Admitted = { peer, end };
    this.#admitted.set(key, admitted);
    listener.connected?.(event);
    const fragments = new Fragments(limits.maxEntryBytes + wholeSlackBytes);
    call.on('data', (bytes: Uint8Array) => {
      const handlers = this.#handlers();
      if (isOver || handlers === undefined) return;
      listener.received?.(peer.nodeId, lane, bytes.length);
      const frame = readFrame(bytes, fragments, peer.nodeId, self.nodeId);
      if (frame instanceof PeerError) end(status.INVALID_ARGUMENT, frame.message);
      else if (frame !== undefined) handlers.onFrame(peer.nodeId, peer.startId, frame);
    });
    call.on('end', () => end(status.OK, 'it hung up'));
    call.on('error', () => end(status.CANCELLED, 'the connection broke'));
    call.on('cancelled', () => end(status.CANCELLED, 'the connection broke'));
  }

  /** Ends the streams of those who do not belong here any more. */
  review(): void {
    for (const { peer, end } of [...this.#admitted.values()]) {
      if (this.#settings.book.check(peer.nodeId, peer.instanceId) !== 'known') {
        end(status.FAILED_PRECONDITION, `node ${peer.nodeId} is not in the node table any more`);
      }
    }
  }

  close(): void {
    for (const { end } of [...this.#admitted.values()]) end(status.UNAVAILABLE, 'this node closes');
  }
}

function readFrame(bytes: Uint8Array, fragments: Fragments, from: number, to: number) {
  try {
    const whole = fragments.take(bytes);
    return whole === undefined ? undefined : decodeBatch(whole, from, to);
  } catch (error) {
    if (error instanceof PeerError) return error;
    throw error;
  }
}

/** Judges a call by its hello and answers it, or refuses it and gives nobody. */
export function admit(call: PeerCall, lane: PeerLane, settings: IncomingSettings): RemotePeer | undefined {
  const { self, book, listener, onAdmitted, onEnded } = settings;
  const outcome = judgeHello(call.metadata, self, book);
  if (outcome.refusal !== undefined) {
    const { nodeId, message, refusal } = outcome;
    listener.refused?.({
      nodeId,
      lane,
      direction: 'in',
      address: call.getPeer(),
      reason: message,
      refusal,
      isByPeer: false,
    });
    refuse(call, status.FAILED_PRECONDITION, `node ${self.nodeId} refuses: ${message}`, refusalMetadata(refusal));
    return undefined;
  }
  const address = call.getPeer();
  call.on('close', () => onEnded(address));
  widenWindow(call);
  call.sendMetadata(helloAnswer(self, outcome.version));
  onAdmitted(outcome.nodeId, address);
  return outcome;
}

/** Ends a call with a status; nothing it does from then on counts. */
export function refuse(call: PeerCall, code: status, details: string, metadata?: Metadata): void {
  if (call.listenerCount('error') === 0) call.on('error', () => undefined);
  call.resume();
  if (code === status.OK) call.end();
  else if (!call.cancelled && !call.destroyed) {
    call.emit('error', { code, details, ...(metadata === undefined ? {} : { metadata }) });
  }
}
