import type { ClientError } from '../client-error.js';
import type { ClusterNode } from '../cluster/cluster-node.js';
import type { PendingCall, PipelineAnswer, SentMessage } from './pending-call.js';
import {
  type FailureAnswer,
  type NumberedAnswer,
  type NumberedRequest,
  openServiceStream,
  type PipelineService,
  type ServiceStream,
  type ServiceStreamListener,
} from './service-stream.js';

/** What a link tells the pipeline. */
export interface PipelineLinkEvents {
  /** An answer to a call that waited for it. */
  onAnswer(link: PipelineLink, call: PendingCall, response: PipelineAnswer | FailureAnswer): void;
  /** Messages can be written again. */
  onDrain(link: PipelineLink): void;
  /** The stream ended; these calls were sent and not answered, in the order of sending. */
  onEnd(link: PipelineLink, unanswered: readonly PendingCall[], error: ClientError | undefined): void;
}

/** One stream of the pipeline: matches answers to calls, and counts the messages of which nothing came back yet. */
export class PipelineLink implements ServiceStreamListener {
  readonly node: ClusterNode;
  /** Messages with answers that came so far. */
  answers = 0;
  /** Messages of which no request was answered or given up. */
  unansweredMessages = 0;
  /** Whether the node has said that it takes packs of appends. */
  takesPacks = false;
  /** The network is behind; `onDrain` will come. */
  blocked = false;
  readonly #events: PipelineLinkEvents;
  readonly #sent = new Map<number, PendingCall>();
  readonly #stream: ServiceStream;
  #nextId = 1;
  #ended = false;

  constructor(node: ClusterNode, events: PipelineLinkEvents, service: PipelineService) {
    this.node = node;
    this.#events = events;
    this.#stream = openServiceStream(node.channel, service, this);
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
    if (!this.#stream.send(requests)) this.blocked = true;
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

  onAnswers(answers: readonly NumberedAnswer[], takesPacks: boolean): void {
    this.answers++;
    this.takesPacks = takesPacks;
    for (const answer of answers) this.#answer(answer);
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

  #register(call: PendingCall, message: SentMessage): NumberedRequest {
    const id = this.#nextId++;
    call.streamId = id;
    call.message = message;
    this.#sent.set(id, call);
    return { id: BigInt(id), request: call.body };
  }

  #answer({ id, response }: NumberedAnswer): void {
    const call = this.#sent.get(Number(id));
    // Nobody waits for it any more: the call was given up meanwhile.
    if (call === undefined || response === undefined) return;
    this.forget(call);
    this.#events.onAnswer(this, call, response);
  }
}
