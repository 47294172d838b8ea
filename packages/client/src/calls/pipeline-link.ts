import type { PipelineRequest, PipelineResponse } from '@shanghai/proto';
import type { ClientError } from '../client-error.js';
import type { ClusterNode } from '../cluster/cluster-node.js';
import type { PipelineListener, PipelineStream } from '../transport.js';
import type { PendingCall, SentMessage } from './pending-call.js';

/** What a link tells the pipeline. */
export interface PipelineLinkEvents {
  /** An answer to a call that waited for it. */
  onAnswer(link: PipelineLink, call: PendingCall, response: NonNullable<PipelineResponse['response']>): void;
  /** Messages can be written again. */
  onDrain(link: PipelineLink): void;
  /** The stream ended; these calls were sent and not answered, in the order of sending. */
  onEnd(link: PipelineLink, unanswered: readonly PendingCall[], error: ClientError | undefined): void;
}

/** One stream of the pipeline: matches answers to calls, and counts the messages of which nothing came back yet. */
export class PipelineLink implements PipelineListener {
  readonly node: ClusterNode;
  /** Messages with answers that came so far. */
  answers = 0;
  /** Messages of which no request was answered or given up. */
  unansweredMessages = 0;
  /** The network is behind; `onDrain` will come. */
  blocked = false;
  readonly #events: PipelineLinkEvents;
  readonly #sent = new Map<number, PendingCall>();
  readonly #stream: PipelineStream;
  #nextId = 1;
  #ended = false;

  constructor(node: ClusterNode, events: PipelineLinkEvents) {
    this.node = node;
    this.#events = events;
    this.#stream = node.channel.pipeline(this);
  }

  /** Calls sent and not answered. */
  get size(): number {
    return this.#sent.size;
  }

  /** Sends calls (at least one) as one message. */
  send(calls: readonly PendingCall[]): void {
    const message: SentMessage = { link: this, node: this.node, answered: false };
    this.unansweredMessages++;
    const requests = calls.map((call) => this.#register(call, message));
    const first = requests[0] as PipelineRequest;
    const whole: PipelineRequest =
      requests.length === 1 ? first : { id: 0n, request: { $case: 'group', value: { requests } } };
    if (!this.#stream.write(whole)) this.blocked = true;
  }

  /** No more calls will be sent; those sent are still answered. */
  retire(): void {
    if (!this.#ended) this.#stream.end();
  }

  /** Gives the stream up; the calls that were not answered end with that failure. */
  abandon(failure: ClientError): void {
    if (this.#ended) return;
    this.onEnd(failure);
    this.#stream.cancel();
  }

  onResponse(response: PipelineResponse): void {
    this.answers++;
    if (response.response?.$case === 'answers') {
      for (const answer of response.response.value.responses) this.#answer(answer);
    } else {
      this.#answer(response);
    }
  }

  onDrain(): void {
    this.blocked = false;
    this.#events.onDrain(this);
  }

  onEnd(error: ClientError | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    const unanswered = [...this.#sent.values()];
    this.#sent.clear();
    this.#events.onEnd(this, unanswered, error);
  }

  /** Drops a call: an answer to it is ignored. */
  forget(call: PendingCall): void {
    const { message } = call;
    if (message === undefined || !this.#sent.delete(call.streamId)) return;
    if (!message.answered) {
      message.answered = true;
      this.unansweredMessages--;
    }
  }

  #register(call: PendingCall, message: SentMessage): PipelineRequest {
    const id = this.#nextId++;
    call.streamId = id;
    call.message = message;
    this.#sent.set(id, call);
    return { id: BigInt(id), request: call.body };
  }

  #answer({ id, response }: PipelineResponse): void {
    const call = this.#sent.get(Number(id));
    // Nobody waits for it any more: the call was given up meanwhile.
    if (call === undefined || response === undefined) return;
    this.forget(call);
    this.#events.onAnswer(this, call, response);
  }
}
