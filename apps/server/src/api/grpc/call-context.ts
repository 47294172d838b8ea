import { type Deadline, Metadata, type MetadataValue } from '@grpc/grpc-js';
import { type ErrorCode, wireMetadata } from '@shanghai/proto';
import type { LeaderAddress } from '../../requests/leader-address.js';
import type { RequestContext } from '../../requests/request-context.js';
import { ServerError } from '../../requests/server-error.js';
import type { ApiServices } from '../api-services.js';
import { acceptedCorrelationId, continuedTraceparent, traceIdOf, traceparentKey } from '../correlation.js';

/**
 * A caller counts its deadline from when it sent the request, the server from when it read it: a caller whose time ran out
 * cancels this much too early at most, seen from here, unless the request was on its way for longer.
 */
const deadlineSlackMs = 50;

/** What every kind of call has. */
export interface AnyCall {
  readonly cancelled: boolean;
  readonly metadata: Metadata;
  getDeadline(): Deadline;
  sendMetadata(metadata: Metadata): void;
  once(event: 'cancelled', listener: () => void): unknown;
}

/**
 * A gRPC call as the requests behind it see it. The signal aborts with `DEADLINE_EXCEEDED` where the caller's time ran
 * out, else with `CANCELLED`; it means nothing once the call is answered. It is made when first asked for: calls of one
 * answer never do, and a controller with its listener is a tenth of what such a call costs the process.
 */
export class CallContext implements RequestContext {
  readonly correlationId: string;
  readonly #call: AnyCall;
  readonly #isUnary: boolean;
  readonly #services: ApiServices;
  #trailer: Metadata | undefined;
  #controller: AbortController | undefined;
  #isFinished = false;

  /** `isUnary`: another node may answer in the place of this one; a stream stays where it is. */
  constructor(call: AnyCall, services: ApiServices, isUnary = false) {
    this.#call = call;
    this.#isUnary = isUnary;
    this.#services = services;
    const given = acceptedCorrelationId(asText(call.metadata.get(wireMetadata.correlationId)[0]));
    const traceparent = asText(call.metadata.get(traceparentKey)[0]);
    this.correlationId = given ?? traceIdOf(traceparent) ?? services.newCorrelationId();
    if (given !== undefined || traceparent !== undefined) this.#echo(given, traceparent);
  }

  get traceparent(): string | undefined {
    return asText(this.#call.metadata.get(traceparentKey)[0]);
  }

  get deadlineMs(): number | undefined {
    const deadline = Number(this.#call.getDeadline());
    return Number.isFinite(deadline) ? deadline : undefined;
  }

  get mayForward(): boolean {
    return this.#isUnary && !this.isForwarded;
  }

  /** Whether another node passed the call on. */
  get isForwarded(): boolean {
    return this.#call.metadata.get(wireMetadata.forwarded).length > 0;
  }

  /** The cluster of the node that passed the call on; absent where it did not say. */
  get fromCluster(): string | undefined {
    return asText(this.#call.metadata.get(wireMetadata.clusterId)[0]);
  }

  passedOn({ grpc }: LeaderAddress): void {
    this.#services.requests.passedOn('grpc');
    this.#trailer = new Metadata();
    this.#trailer.set(wireMetadata.leader, grpc);
  }

  /** Goes behind the answer: the leader, where it was the leader who answered. */
  get trailer(): Metadata | undefined {
    return this.#trailer;
  }

  get isCancelled(): boolean {
    return this.#call.cancelled;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      const controller = new AbortController();
      this.#controller = controller;
      if (this.#call.cancelled) controller.abort(this.#reason());
      else this.#call.once('cancelled', () => this.#isFinished || controller.abort(this.#reason()));
    }
    return this.#controller.signal;
  }

  /** How the call ended for its caller where that was before the answer: what was done then reaches nobody. */
  get lostTo(): ErrorCode | undefined {
    return this.#call.cancelled ? this.#reason().code : undefined;
  }

  /** The call was answered: what happens to its connection from here on concerns nobody. */
  finish(): void {
    this.#isFinished = true;
  }

  #reason(): ServerError {
    const deadline = this.#call.getDeadline();
    const isLate = Number.isFinite(Number(deadline)) && Number(deadline) <= Date.now() + deadlineSlackMs;
    return isLate
      ? new ServerError('DEADLINE_EXCEEDED', 'the deadline of the call passed')
      : new ServerError('CANCELLED', 'the caller gave up');
  }

  #echo(given: string | undefined, traceparent: string | undefined): void {
    const metadata = new Metadata();
    if (given !== undefined) metadata.set(wireMetadata.correlationId, given);
    const continued = continuedTraceparent(traceparent);
    if (continued !== undefined) metadata.set(traceparentKey, continued);
    this.#call.sendMetadata(metadata);
  }
}

function asText(value: MetadataValue | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
