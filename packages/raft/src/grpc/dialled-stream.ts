/**
 * One stream to a peer, on a connection of its own: dialled, introduced, and ended once. The library would share
 * connections among clients of one address, try again by itself, and hold messages back for that; all of this is off,
 * so that a lane knows where it stands.
 */
import {
  type ChannelCredentials,
  type ChannelOptions,
  Client,
  type ClientDuplexStream,
  type Metadata,
  type StatusObject,
  status,
} from '@grpc/grpc-js';
import { type Clock, probeAddress, type Timer } from '@shanghai/env';
import type { Peer } from '../ports/peer-transport.js';
import { maxFrameBytes } from '../wire/frame-codec.js';
import { PeerError } from '../wire/peer-error.js';
import type { GrpcPeersLimits, PeerBook, PeerLane, PeerSelf } from './grpc-peers-options.js';
import { helloTo, isRefusal, judgeAnswer, type Refusal, refusalIn } from './hello.js';
import { asBuffer, asBytes, lanePaths } from './peer-service.js';

/** What every stream of a node is dialled with. */
export interface DialSettings {
  readonly self: PeerSelf;
  readonly book: PeerBook;
  readonly clock: Clock;
  readonly limits: GrpcPeersLimits;
  readonly credentials: ChannelCredentials;
}

/** What is told of a dialled stream. Never from within `dialStream` or one of the stream's methods. */
export interface DialEvents {
  /** The peer is who was wanted, and takes frames of this version of the protocol. */
  onOpen(instanceId: string, version: number): void;
  onFrame(frame: Uint8Array): void;
  /** It is over, for a reason that was not `close`: once, and the last that is told. */
  onEnd(error: PeerError): void;
}

/** A stream to a peer. */
export interface DialledStream {
  /** Only once it is open. `onWritten` is told when the frame is on its way; not when the stream ends before. */
  write(frame: Uint8Array, onWritten: () => void): void;
  /** Hangs up; nothing is told any more. */
  close(): void;
}

/** Window of what comes back; frames of more than one MiB do not come. */
const receiveWindowBytes = 1_048_576;

/** The library's settings for both ends. */
export function connectionOptions(limits: GrpcPeersLimits): ChannelOptions {
  return {
    'grpc.keepalive_time_ms': limits.keepaliveMs,
    'grpc.keepalive_timeout_ms': limits.keepaliveTimeoutMs,
    'grpc.max_receive_message_length': maxFrameBytes,
    'grpc.max_send_message_length': maxFrameBytes,
    'grpc.enable_channelz': 0,
  };
}

/** Dials. Returns at once. */
export function dialStream(settings: DialSettings, peer: Peer, lane: PeerLane, events: DialEvents): DialledStream {
  return new Dialling(settings, peer, lane, events);
}

/** First somebody must listen; then there is a call; then it is open. */
class Dialling implements DialledStream {
  readonly #settings: DialSettings;
  readonly #peer: Peer;
  readonly #lane: PeerLane;
  readonly #events: DialEvents;
  readonly #timer: Timer;
  readonly #stopProbing: () => void;
  #client: Client | undefined;
  #call: ClientDuplexStream<Uint8Array, Uint8Array> | undefined;
  #isOpen = false;
  #isOver = false;

  constructor(settings: DialSettings, peer: Peer, lane: PeerLane, events: DialEvents) {
    this.#settings = settings;
    this.#peer = peer;
    this.#lane = lane;
    this.#events = events;
    this.#timer = settings.clock.setTimer(settings.limits.connectTimeoutMs, () => this.#end('did not answer'));
    this.#stopProbing = probeAddress(peer.address, (error) => {
      if (error === undefined) this.#dial();
      else this.#end(error.message);
    });
  }

  write(frame: Uint8Array, onWritten: () => void): void {
    if (!this.#isOver) this.#call?.write(frame, onWritten);
  }

  close(): void {
    this.#isOver = true;
    this.#timer.cancel();
    this.#stopProbing();
    this.#call?.cancel();
    this.#client?.close();
  }

  #dial(): void {
    const { limits, credentials, self } = this.#settings;
    const { address, nodeId } = this.#peer;
    // With its scheme said, an address that is none is a peer that cannot be reached.
    const client = new Client(`dns:${address}`, credentials, {
      ...connectionOptions(limits),
      'grpc.use_local_subchannel_pool': 1,
      'grpc.enable_retries': 0,
      'grpc.enable_http_proxy': 0,
      'grpc.service_config_disable_resolution': 1,
      'grpc-node.flow_control_window': receiveWindowBytes,
    });
    this.#client = client;
    const hello = helloTo(nodeId, self);
    const call: ClientDuplexStream<Uint8Array, Uint8Array> = client.makeBidiStreamRequest(
      lanePaths[this.#lane],
      asBuffer,
      asBytes,
      hello,
    );
    this.#call = call;
    call.on('metadata', (metadata: Metadata) => this.#takeAnswer(metadata));
    call.on('data', (frame: Uint8Array) => {
      if (!this.#isOver && this.#isOpen) this.#events.onFrame(frame);
    });
    call.on('error', (error: Partial<StatusObject> & Error) => this.#endWith(errorOf(error, this.#peer)));
    call.on('end', () => this.#end('hung up'));
  }

  /** A call that is refused ends with a status and without an answer. */
  #takeAnswer(metadata: Metadata): void {
    if (this.#isOver) return;
    const { self, book } = this.#settings;
    const outcome = judgeAnswer(metadata, this.#peer.nodeId, self, book);
    if (outcome.refusal !== undefined) {
      this.#endWith(
        new PeerError('REFUSED', outcome.message, { details: { refusal: outcome.refusal, isByPeer: false } }),
      );
      return;
    }
    this.#isOpen = true;
    this.#timer.cancel();
    this.#events.onOpen(outcome.instanceId, outcome.version);
  }

  #end(what: string): void {
    const { nodeId, address } = this.#peer;
    this.#endWith(new PeerError('UNREACHABLE', `node ${nodeId} at '${address}': ${what}`));
  }

  #endWith(error: PeerError): void {
    if (this.#isOver) return;
    this.close();
    this.#events.onEnd(error);
  }
}

/** What makes one reason of the library look like another each time. */
const timesAndNotes = / \(\d{4}-\d\d-\d\dT[^)]*\)|\.? Resolution note:\s*$/g;

function errorOf(error: Partial<StatusObject> & Error, { nodeId, address }: Peer): PeerError {
  const reason = (error.details ?? error.message).replace(timesAndNotes, '').trim();
  const options = { cause: error, details: { status: error.code } };
  if (isRefusal(error.metadata)) {
    const details = { ...options.details, refusal: refusalIn(error.metadata), isByPeer: true };
    return new PeerError('REFUSED', reason, { ...options, details });
  }
  const said = `node ${nodeId} at '${address}': ${reason}`;
  switch (error.code) {
    case status.ABORTED:
      return new PeerError('SNAPSHOT_REFUSED', said, options);
    case status.DATA_LOSS:
      return new PeerError('SNAPSHOT_DAMAGED', said, options);
    case status.RESOURCE_EXHAUSTED:
      return new PeerError('BUSY', said, options);
    case status.INVALID_ARGUMENT:
      return new PeerError('MALFORMED', said, options);
    default:
      return new PeerError('UNREACHABLE', said, options);
  }
}

/** Who refused whom, and why, of a `PeerError` `REFUSED`. */
export function refusalOf({ details }: PeerError): { readonly refusal?: Refusal; readonly isByPeer: boolean } {
  const { refusal, isByPeer } = details as { readonly refusal?: Refusal; readonly isByPeer?: boolean };
  return { isByPeer: isByPeer === true, ...(refusal === undefined ? {} : { refusal }) };
}
