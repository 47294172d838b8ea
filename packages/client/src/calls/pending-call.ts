import type { Clock, Timer } from '@shanghai/env';
import type {
  LogAppendPack,
  LogAppendRequest,
  LogAppendResponse,
  LogPackAnswer,
  PipelineRequest,
  PipelineResponse,
} from '@shanghai/proto';
import type { CallStage, ClientError } from '../client-error.js';
import type { ClusterNode } from '../cluster/cluster-node.js';
import type { RequestKind } from '../core/retry-decision.js';
import type { CallOptions } from '../key-value-store.js';
import type { GiveUpReason } from './give-up.js';
import { onAbort } from './on-abort.js';
import type { Numbering } from './session-keeper.js';

/** A request that may travel on a pipeline: one of the key-value service, or an append or a pack of them of the log service. */
export type PipelineBody =
  | Exclude<NonNullable<PipelineRequest['request']>, { readonly $case: 'group' }>
  | { readonly $case: 'logAppend'; readonly value: LogAppendRequest }
  | { readonly $case: 'logPack'; readonly value: LogAppendPack };

/** Its answer. */
export type PipelineAnswer =
  | Exclude<NonNullable<PipelineResponse['response']>, { readonly $case: 'error' } | { readonly $case: 'answers' }>
  | { readonly $case: 'logAppend'; readonly value: LogAppendResponse }
  | { readonly $case: 'logPack'; readonly value: LogPackAnswer };

/** Where a call waits to be sent, or for its answer. */
export interface CallHolder {
  /** What a call waits for that was not sent yet. */
  readonly waitsFor: 'queue' | 'connection' | 'leader';
  /** Drops a call that was given up. */
  forget(call: PendingCall): void;
}

/** A message on its way, and whether any of its requests was answered or given up. */
export interface SentMessage {
  /** The stream it was sent on: drops a call of it, so that an answer to that is ignored. */
  readonly link: { forget(call: PendingCall): void };
  readonly node: ClusterNode;
  answered: boolean;
}

/**
 * One call on the pipeline, from its making to its answer, over all its attempts. The pipeline moves it through its
 * stages; the call itself watches its deadline and its caller's signal.
 */
export class PendingCall {
  stage: CallStage = 'queue';
  attempts = 0;
  maybeApplied = false;
  numbering: Numbering | undefined;
  lastFailure: ClientError | undefined;
  /** The message it was last sent in, while it waits for that answer. */
  message: SentMessage | undefined;
  /** Its number on the stream it was last sent on. */
  streamId = 0;
  /** Where it waits, or was last sent from; nowhere while it backs off. */
  holder: CallHolder | undefined;
  settled = false;
  readonly promise: Promise<PipelineAnswer>;
  readonly kind: RequestKind;
  readonly body: PipelineBody;
  readonly bytes: number;
  /** Calls of the user that it stands for. */
  readonly requests: number;
  readonly #stopListening: (() => void) | undefined;
  readonly #deadline: Timer;
  #backOff: Timer | undefined;
  #resolve: (answer: PipelineAnswer) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor(
    clock: Clock,
    request: {
      readonly kind: RequestKind;
      readonly body: PipelineBody;
      readonly bytes: number;
      readonly requests?: number;
    },
    options: CallOptions & { readonly timeoutMs: number },
    onGiveUp: (call: PendingCall, reason: GiveUpReason) => void,
  ) {
    this.kind = request.kind;
    this.body = request.body;
    this.bytes = request.bytes;
    this.requests = request.requests ?? 1;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const { timeoutMs, signal } = options;
    this.#deadline = clock.setTimer(timeoutMs, () => onGiveUp(this, { why: 'deadline', timeoutMs }));
    if (signal !== undefined) {
      this.#stopListening = onAbort(signal, () => onGiveUp(this, { why: 'aborted', cause: signal.reason }));
    }
  }

  /** Whether it is a write that has no number of a session yet and wants one. A producer numbers its appends itself. */
  get wantsNumber(): boolean {
    return this.kind === 'numbered' && this.numbering === undefined && !isOfLogs(this.body);
  }

  /** Waits before its next attempt. */
  backOff(clock: Clock, delayMs: number, then: () => void): void {
    this.stage = 'back-off';
    this.#backOff = clock.setTimer(delayMs, then);
  }

  /** Tells the caller the answer. Once; not after `reject`. */
  resolve(answer: PipelineAnswer): void {
    this.#settle();
    this.#resolve(answer);
  }

  /** Tells the caller the failure. Once; not after `resolve`. */
  reject(error: ClientError): void {
    this.#settle();
    this.#reject(error);
  }

  #settle(): void {
    this.settled = true;
    this.#deadline.cancel();
    this.#backOff?.cancel();
    this.#stopListening?.();
  }
}

/** Whether it is a request of the log service. */
export function isOfLogs(
  body: PipelineBody,
): body is Extract<PipelineBody, { readonly $case: 'logAppend' | 'logPack' }> {
  return body.$case === 'logAppend' || body.$case === 'logPack';
}
