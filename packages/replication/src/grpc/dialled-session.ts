/**
 * One session with a source, on a connection of its own: dialled, introduced, and ended once. The library would share
 * connections among clients of one address, try again by itself, and hold messages back for that; all of this is off.
 */
import {
  type ChannelCredentials,
  type ChannelOptions,
  Client,
  type ClientDuplexStream,
  type Metadata,
  type StatusObject,
} from '@grpc/grpc-js';
import type { Timer } from '@shanghai/env';
import type { ControlMessage } from '../core/message.js';
import { ReplicationError } from '../core/replication-error.js';
import type {
  ReplicationPeer,
  SessionHandlers,
  TransportHandlers,
  TransportSession,
} from '../ports/replication-transport.js';
import { Fragments, maxFrameBytes } from '../wire/fragments.js';
import { decodeControl, decodeData, encodeControl } from '../wire/message-codec.js';
import type {
  GrpcReplicationLimits,
  GrpcReplicationOptions,
  ReplicationRefusalEvent,
} from './grpc-replication-options.js';
import { helloTo, judgeAnswer, refusalIn } from './hello.js';
import { LaneWriter } from './lane-writer.js';
import { asBuffer, asBytes, lanePaths } from './replication-service.js';

/** What every session of a node is dialled with. */
export interface DialSettings {
  readonly options: GrpcReplicationOptions;
  readonly limits: GrpcReplicationLimits;
  readonly credentials: ChannelCredentials;
  /** `undefined` as soon as nothing is to be handed out. */
  readonly handlers: () => TransportHandlers | undefined;
}

/** Why a session ended, or did not begin. */
export interface DialEnd {
  readonly reason: string;
  readonly refusal?: ReplicationRefusalEvent;
}

/** Messages before a session stands: its vector, which has a few thousand positions in each. */
const maxEarly = 1_024;

type Call = ClientDuplexStream<Uint8Array, Uint8Array>;

/** The library's settings for both ends. */
export function connectionOptions(limits: GrpcReplicationLimits): ChannelOptions {
  return {
    'grpc.keepalive_time_ms': limits.keepaliveMs,
    'grpc.keepalive_timeout_ms': limits.keepaliveTimeoutMs,
    'grpc.max_receive_message_length': maxFrameBytes,
    'grpc.max_send_message_length': maxFrameBytes,
    'grpc.enable_channelz': 0,
  };
}

/** Dials from the beginning. */
export class DialledSession implements TransportSession {
  readonly peer: number;
  readonly role = 'follower';
  readonly #settings: DialSettings;
  readonly #address: string;
  readonly #onOver: (end: DialEnd, wasOpen: boolean) => void;
  readonly #timer: Timer;
  readonly #client: Client;
  readonly #control: Call;
  readonly #data: Call;
  readonly #controlWriter: LaneWriter;
  readonly #answered = new Set<Call>();
  #handlers: SessionHandlers | undefined;
  /** What came on one lane before the other one was answered. */
  #early: (() => void)[] = [];
  #isOver = false;

  /** `onOver`: once, never from within the constructor. */
  constructor(settings: DialSettings, peer: ReplicationPeer, onOver: (end: DialEnd, wasOpen: boolean) => void) {
    const { options, limits, credentials } = settings;
    this.peer = peer.nodeId;
    this.#settings = settings;
    this.#address = peer.address;
    this.#onOver = onOver;
    this.#timer = options.clock.setTimer(limits.connectTimeoutMs, () => this.#lose({ reason: 'it did not answer' }));
    // With its scheme said, an address that is none is a source that cannot be reached.
    this.#client = new Client(`dns:${peer.address}`, credentials, {
      ...connectionOptions(limits),
      'grpc.use_local_subchannel_pool': 1,
      'grpc.enable_retries': 0,
      'grpc.enable_http_proxy': 0,
      'grpc.service_config_disable_resolution': 1,
      'grpc-node.flow_control_window': limits.networkWindowBytes,
    });
    const session = Array.from({ length: 4 }, () => options.random.uint32().toString(16)).join('');
    const hello = helloTo(peer.nodeId, options.self, session);
    this.#control = this.#call(lanePaths.control, hello, (message) =>
      this.#handlers?.onControl(decodeControl(message)),
    );
    this.#data = this.#call(lanePaths.data, hello, (message) => this.#handlers?.onData(decodeData(message)));
    this.#controlWriter = new LaneWriter(this.#control);
  }

  sendControl(message: ControlMessage): void {
    if (this.#isOver) return;
    this.#controlWriter.write(encodeControl(message));
    if (this.#controlWriter.waitingBytes > this.#settings.limits.controlBufferBytes) this.#control.cancel();
  }

  sendData(): boolean {
    throw new TypeError('a follower ships nothing');
  }

  close(reason: string): void {
    if (this.#isOver) return;
    const wasOpen = this.#handlers !== undefined;
    this.#hangUp();
    this.#onOver({ reason }, wasOpen);
  }

  /** Ends it for good: nothing is told of it any more, to nobody. */
  drop(): void {
    this.#hangUp();
  }

  #call(path: string, hello: Metadata, take: (message: Uint8Array) => void): Call {
    const call: Call = this.#client.makeBidiStreamRequest(path, asBuffer, asBytes, hello);
    const fragments = new Fragments(this.#settings.limits.maxMessageBytes);
    call.on('metadata', (metadata: Metadata) => this.#takeAnswer(call, metadata));
    call.on('data', (frame: Uint8Array) => this.#take(frame, fragments, take));
    call.on('error', (error: Partial<StatusObject> & Error) => this.#lose(this.#endOf(error)));
    call.on('end', () => this.#lose({ reason: 'it hung up' }));
    return call;
  }

  #takeAnswer(call: Call, metadata: Metadata): void {
    if (this.#isOver) return;
    const { options, handlers } = this.#settings;
    const outcome = judgeAnswer(metadata, this.peer, options.self, options.book);
    if (outcome.refusal !== undefined) {
      const { nodeId, refusal, message } = outcome;
      this.#lose({ reason: message, refusal: { nodeId, reason: message, refusal, isByPeer: false } });
      return;
    }
    this.#answered.add(call);
    const to = handlers();
    if (this.#answered.size < 2 || to === undefined) return;
    this.#timer.cancel();
    this.#handlers = to.onSession(this);
    for (const take of this.#early.splice(0)) this.#guard(take);
  }

  #take(frame: Uint8Array, fragments: Fragments, take: (message: Uint8Array) => void): void {
    this.#guard(() => {
      const message = fragments.take(frame);
      if (message === undefined) return;
      if (this.#handlers !== undefined) take(message);
      else if (this.#early.push(() => take(message)) > maxEarly) this.#lose({ reason: 'it says too much too early' });
    });
  }

  #guard(take: () => void): void {
    if (this.#isOver) return;
    try {
      take();
    } catch (error) {
      if (!(error instanceof ReplicationError)) throw error;
      this.#lose({ reason: error.message });
    }
  }

  #hangUp(): void {
    this.#isOver = true;
    this.#timer.cancel();
    // Not at once: a process that was stopped for seconds finds timers due before it has read anything, and a stream that is
    // reset there while its connection has news waiting can keep the HTTP/2 of Node.js 20 writing for ever.
    this.#settings.options.clock.soon(() => {
      this.#control.cancel();
      this.#data.cancel();
      this.#client.close();
    });
  }

  #lose(end: DialEnd): void {
    if (this.#isOver) return;
    const handlers = this.#handlers;
    this.#hangUp();
    this.#onOver(end, handlers !== undefined);
    handlers?.onEnd(end.reason);
  }

  #endOf(error: Partial<StatusObject> & Error): DialEnd {
    const reason = (error.details ?? error.message).trim();
    const refused = refusalIn(error.metadata);
    if (refused === undefined) return { reason: `node ${this.peer} at '${this.#address}': ${reason}` };
    return { reason, refusal: { nodeId: this.peer, reason, ...refused, isByPeer: true } };
  }
}
