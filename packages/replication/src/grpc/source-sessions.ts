/**
 * The sessions that followers dialled. A call is judged by its hello before anything else is done for it; when both streams
 * of a session have come it is handed out. One session a follower: a newer one takes the older one's place, which is dead
 * or will be.
 */
import { type Metadata, status } from '@grpc/grpc-js';
import type { Clock, Timer } from '@shanghai/env';
import type { ControlMessage, DataMessage } from '../core/message.js';
import { ReplicationError } from '../core/replication-error.js';
import type { SessionHandlers, TransportHandlers, TransportSession } from '../ports/replication-transport.js';
import { Fragments } from '../wire/fragments.js';
import { decodeControl, encodeControl, encodeData } from '../wire/message-codec.js';
import type { GrpcReplicationLimits, GrpcReplicationOptions } from './grpc-replication-options.js';
import { helloAnswer, judgeHello, refusalMetadata } from './hello.js';
import { LaneWriter } from './lane-writer.js';
import type { LaneCall } from './replication-service.js';

/** Counts who uses a connection, where somebody cuts those that nobody uses. */
export interface ConnectionUse {
  /** A follower was let in on the connection from `address`, as gRPC names it; and its stream has ended. */
  keep(address: string): void;
  release(address: string): void;
}

/** What is handed out to, and counted by. */
export interface SourceSettings {
  readonly options: GrpcReplicationOptions;
  readonly limits: GrpcReplicationLimits;
  readonly connections: ConnectionUse | undefined;
  /** `undefined` as long as, and as soon as, nothing is to be handed out. */
  readonly handlers: () => TransportHandlers | undefined;
}

/** A stream that waits for the other one of its session. */
interface HalfSession {
  readonly lane: 'control' | 'data';
  readonly call: LaneCall;
  readonly timer: Timer;
}

/** All of them. */
export class SourceSessions {
  readonly #settings: SourceSettings;
  /** By follower and the id of the session. */
  readonly #halves = new Map<string, HalfSession>();
  readonly #sessions = new Map<number, SourceEnd>();

  constructor(settings: SourceSettings) {
    this.#settings = settings;
  }

  /** Serves a call of `lane`. */
  serve(lane: 'control' | 'data', call: LaneCall): void {
    const { options, limits, connections, handlers } = this.#settings;
    if (handlers() === undefined) {
      endCall(call, status.UNAVAILABLE, 'this node does not take part now');
      return;
    }
    const outcome = judgeHello(call.metadata, options.self, options.book);
    if (outcome.refusal !== undefined) {
      const { nodeId, message, refusal } = outcome;
      options.listener?.refused?.({ nodeId, reason: message, refusal, isByPeer: false });
      const text = `node ${options.self.nodeId} refuses: ${message}`;
      endCall(call, status.FAILED_PRECONDITION, text, refusalMetadata(refusal));
      return;
    }
    const address = call.getPeer();
    connections?.keep(address);
    call.on('close', () => connections?.release(address));
    call.on('error', () => undefined);
    const key = `${outcome.nodeId} ${outcome.session}`;
    const other = this.#halves.get(key);
    if (other === undefined || other.lane === lane) {
      const timer = options.clock.setTimer(limits.connectTimeoutMs, () => this.#dropHalf(key));
      this.#dropHalf(key);
      this.#halves.set(key, { lane, call, timer });
      return;
    }
    other.timer.cancel();
    this.#halves.delete(key);
    if (lane === 'control') this.#begin(outcome.nodeId, call, other.call);
    else this.#begin(outcome.nodeId, other.call, call);
  }

  close(): void {
    for (const key of [...this.#halves.keys()]) this.#dropHalf(key);
    for (const session of [...this.#sessions.values()]) session.drop('this node closes');
  }

  #begin(nodeId: number, control: LaneCall, data: LaneCall): void {
    const { options, handlers } = this.#settings;
    const to = handlers();
    if (to === undefined) return;
    this.#sessions.get(nodeId)?.lose('a newer session has taken the place of this one');
    const answer = helloAnswer(options.self);
    control.sendMetadata(answer);
    data.sendMetadata(answer);
    const session = new SourceEnd(nodeId, control, data, this.#settings, () => {
      if (this.#sessions.get(nodeId) === session) this.#sessions.delete(nodeId);
    });
    this.#sessions.set(nodeId, session);
    session.begin(to);
  }

  #dropHalf(key: string): void {
    const half = this.#halves.get(key);
    if (half === undefined) return;
    this.#halves.delete(key);
    half.timer.cancel();
    endCall(half.call, status.CANCELLED, 'the other stream of the session did not come');
  }
}

/** One session, at its source. */
class SourceEnd implements TransportSession {
  readonly peer: number;
  readonly role = 'source';
  readonly #control: LaneCall;
  readonly #data: LaneCall;
  readonly #controlWriter: LaneWriter;
  readonly #dataWriter: LaneWriter;
  readonly #limits: GrpcReplicationLimits;
  readonly #clock: Clock;
  readonly #onOver: () => void;
  #handlers: SessionHandlers | undefined;
  #isOver = false;

  constructor(
    peer: number,
    control: LaneCall,
    data: LaneCall,
    { limits, options }: SourceSettings,
    onOver: () => void,
  ) {
    this.peer = peer;
    this.#control = control;
    this.#data = data;
    this.#controlWriter = new LaneWriter(control);
    this.#dataWriter = new LaneWriter(data);
    this.#limits = limits;
    this.#clock = options.clock;
    this.#onOver = onOver;
  }

  begin(handlers: TransportHandlers): void {
    this.#handlers = handlers.onSession(this);
    if (this.#isOver) return;
    const fragments = new Fragments(this.#limits.maxMessageBytes);
    this.#control.on('data', (frame: Uint8Array) => this.#take(frame, fragments));
    this.#data.on('data', () => this.lose('a follower ships nothing'));
    this.#data.on('drain', () => {
      if (!this.#isOver) this.#handlers?.onDrain();
    });
    for (const call of [this.#control, this.#data]) {
      call.on('end', () => this.lose('it hung up'));
      call.on('error', () => this.lose('the connection broke'));
      call.on('cancelled', () => this.lose('the connection broke'));
    }
  }

  sendControl(message: ControlMessage): void {
    if (this.#isOver) return;
    this.#controlWriter.write(encodeControl(message));
    if (this.#controlWriter.waitingBytes <= this.#limits.controlBufferBytes) return;
    this.#clock.soon(() => this.lose('it does not read what is said to it'));
  }

  sendData(message: DataMessage): boolean {
    return this.#isOver || this.#dataWriter.write(encodeData(message));
  }

  close(reason: string): void {
    this.drop(reason);
  }

  /** Ends it, without telling this node. */
  drop(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onOver();
    endCall(this.#control, status.ABORTED, reason);
    endCall(this.#data, status.ABORTED, reason);
  }

  /** It is over: ends it, and tells this node. */
  lose(reason: string): void {
    if (this.#isOver) return;
    this.drop(reason);
    this.#handlers?.onEnd(reason);
  }

  #take(frame: Uint8Array, fragments: Fragments): void {
    if (this.#isOver) return;
    try {
      const message = fragments.take(frame);
      if (message !== undefined) this.#handlers?.onControl(decodeControl(message));
    } catch (error) {
      if (!(error instanceof ReplicationError)) throw error;
      this.lose(error.message);
    }
  }
}

/** Ends a call with a status; nothing it does from then on counts. */
function endCall(call: LaneCall, code: status, details: string, metadata?: Metadata): void {
  if (call.listenerCount('error') === 0) call.on('error', () => undefined);
  call.resume();
  if (!call.cancelled && !call.destroyed)
    call.emit('error', { code, details, ...(metadata === undefined ? {} : { metadata }) });
}
