/**
 * What goes to one node: a connection that is made when there is something to send, and closed when there was nothing for
 * long. What comes while it is made waits; what comes while it cannot be made, or is not read, is dropped: the protocol
 * says what matters again.
 */
import {
  type ChannelCredentials,
  Client,
  type ClientDuplexStream,
  type Metadata,
  type StatusObject,
} from '@grpc/grpc-js';
import { type Clock, delay, probeAddress, type Timer } from '@shanghai/env';
import type { Destination } from '../core/message.js';
import { asBuffer, asBytes, channelOptions, exchangePath } from './exchange-service.js';
import type { GrpcSelf, GrpcTransportLimits, GrpcTransportListener, MemberBook } from './grpc-transport-options.js';
import { helloTo, judgeAnswer, refusalIn } from './membership-hello.js';

/** What links of a node share. */
export interface LinkSettings {
  readonly self: GrpcSelf;
  readonly clock: Clock;
  readonly book: MemberBook | undefined;
  readonly credentials: ChannelCredentials;
  readonly limits: GrpcTransportLimits;
  readonly listener: GrpcTransportListener;
}

/** `idle`: nothing to send; `dialling`: until the answer to the hello; `waiting`: nothing is dialled yet. */
type State = 'idle' | 'dialling' | 'open' | 'waiting' | 'closed';

/** How long what was sent last has to go out before a connection is closed. */
const lingerMs = 100;

/** A link to one destination. Dials by itself. */
export class OutgoingLink {
  readonly #settings: LinkSettings;
  readonly #to: Destination;
  #state: State = 'idle';
  #held: Uint8Array[] = [];
  #waitingBytes = 0;
  #lastReason = '';
  #client: Client | undefined;
  #call: ClientDuplexStream<Uint8Array, Uint8Array> | undefined;
  #stopProbing: () => void = () => undefined;
  #timer: Timer | undefined;
  #answering = 0;
  /** When something was sent last. */
  usedMs = 0;

  constructor(settings: LinkSettings, to: Destination) {
    this.#settings = settings;
    this.#to = to;
  }

  send(frame: Uint8Array): void {
    const { limits, clock, listener } = this.#settings;
    this.usedMs = clock.monotonicMs();
    if (this.#state === 'idle') this.#dial();
    if (this.#state !== 'open' && this.#state !== 'dialling') return;
    if (this.#waitingBytes + frame.length > limits.bufferBytes) {
      this.#tellOnce('it does not read', (reason) => listener.dropped?.(this.#to.address, reason));
      return;
    }
    this.#waitingBytes += frame.length;
    if (this.#state === 'open') this.#write(frame);
    else this.#held.push(frame);
  }

  /** Closes a connection that was not used since `beforeMs`. Says whether the link may be forgotten. */
  rest(beforeMs: number): boolean {
    if (this.usedMs > beforeMs) return false;
    void this.close();
    return true;
  }

  /** Nothing more is sent; what was sent has a moment to go. */
  async close(): Promise<void> {
    const wasOpen = this.#state === 'open';
    this.#state = 'closed';
    this.#timer?.cancel();
    this.#stopProbing();
    if (wasOpen && this.#call !== undefined) {
      this.#call.end();
      await delay(this.#settings.clock, lingerMs, undefined, { keepsProcess: true });
    }
    this.#hangUp();
  }

  #hangUp(): void {
    this.#stopProbing();
    this.#call?.cancel();
    this.#client?.close();
    this.#call = undefined;
    this.#client = undefined;
    this.#held = [];
    this.#waitingBytes = 0;
  }

  #dial(): void {
    const { clock, limits } = this.#settings;
    this.#state = 'dialling';
    this.#timer = clock.setTimer(limits.connectTimeoutMs, () => this.#fail('it did not answer'));
    this.#stopProbing = probeAddress(this.#to.address, (error) => {
      if (this.#state !== 'dialling') return;
      if (error === undefined) this.#call = this.#makeCall();
      else this.#fail(error.message);
    });
  }

  #makeCall(): ClientDuplexStream<Uint8Array, Uint8Array> {
    const { credentials, limits, self } = this.#settings;
    this.#client = new Client(`dns:${this.#to.address}`, credentials, {
      ...channelOptions(limits),
      'grpc.use_local_subchannel_pool': 1,
      'grpc.enable_retries': 0,
      'grpc.enable_http_proxy': 0,
      'grpc.service_config_disable_resolution': 1,
    });
    const hello = helloTo(this.#to.nodeId, self);
    const call: ClientDuplexStream<Uint8Array, Uint8Array> = this.#client.makeBidiStreamRequest(
      exchangePath,
      asBuffer,
      asBytes,
      hello,
    );
    call.on('metadata', (metadata: Metadata) => {
      if (this.#call === call) this.#takeAnswer(metadata);
    });
    call.on('data', () => undefined);
    call.on('error', (error: Partial<StatusObject> & Error) => {
      if (this.#call === call) this.#failWith(error);
    });
    call.on('end', () => {
      if (this.#call === call) this.#fail('it hung up');
    });
    return call;
  }

  #takeAnswer(metadata: Metadata): void {
    const { self, book, listener } = this.#settings;
    const outcome = judgeAnswer(metadata, this.#to.nodeId, self, book);
    if (outcome.refusal !== undefined) {
      const { nodeId, refusal, message } = outcome;
      this.#tellOnce(message, (reason) =>
        listener.refused?.({ nodeId, address: this.#to.address, reason, refusal, isByOther: false }),
      );
      this.#wait(this.#settings.limits.refusedRetryMs);
      return;
    }
    this.#timer?.cancel();
    this.#state = 'open';
    this.#lastReason = '';
    this.#answering = outcome.nodeId;
    listener.connected?.(outcome.nodeId, 'out');
    for (const frame of this.#held.splice(0)) this.#write(frame);
  }

  #write(frame: Uint8Array): void {
    const call = this.#call;
    call?.write(frame, () => {
      if (this.#call === call) this.#waitingBytes -= frame.length;
    });
  }

  #failWith(error: Partial<StatusObject> & Error): void {
    const { listener, limits } = this.#settings;
    const said = refusalIn(error.metadata);
    const text = error.details ?? error.message;
    if (said.name === '') {
      this.#fail(text);
      return;
    }
    const { nodeId, address } = this.#to;
    const event = { nodeId, address, refusal: said.refusal, isByOther: true };
    this.#tellOnce(text, (reason) => listener.refused?.({ ...event, reason }));
    this.#wait(limits.refusedRetryMs);
  }

  #fail(text: string): void {
    const { listener, limits } = this.#settings;
    if (this.#state === 'open') listener.disconnected?.(this.#answering, 'out', text);
    else this.#tellOnce(text, (reason) => listener.dropped?.(this.#to.address, reason));
    this.#wait(limits.retryMs);
  }

  #wait(ms: number): void {
    if (this.#state === 'closed') return;
    this.#timer?.cancel();
    this.#hangUp();
    this.#state = 'waiting';
    this.#timer = this.#settings.clock.setTimer(ms, () => {
      this.#state = 'idle';
    });
  }

  #tellOnce(text: string, tell: (reason: string) => void): void {
    if (this.#lastReason === text) return;
    this.#lastReason = text;
    tell(text);
  }
}
