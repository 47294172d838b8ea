// Concurrent calls on few streams.
//
// The problem: a call costs a client and a server far more than a request inside a message does (grpc-js: tens of
// microseconds each), so calls that happen at the same time must share messages, without anybody having to say so and
// without a lone call waiting for company.
//
// The approach is natural batching, without a timer. Calls queue in the lane of the place they go to (`lane.ts`): the
// leader of their group, or for reads that any replica can answer the less loaded of two. The queue is sent when the
// current turn of the event loop has run its callbacks (a microtask), so calls made together travel together. Once some
// messages are out of which nothing came back, the queue waits for the first answer; the slower the server, the larger
// the messages. Bounds in requests and bytes hold for a message, for what is in flight and for what may wait at all.
//
// When a stream breaks, or is left because another node leads, each call in flight is judged by itself
// (`core/retry-decision.ts`). Answers are matched by a number that is new for every attempt, so one that comes late meets
// nobody. A read that a replica did not answer goes to the leader: it is never sent round the replicas.
//
// Rejected: a linger time (it delays lone calls and adds nothing once calls queue), one message a call (measured in
// docs/adr/0013-client-batching.md), unary calls as a second way (two sets of rules for the same promise).
import { type CallStage, ClientError, toClientError } from '../client-error.js';
import type { ClusterNode } from '../cluster/cluster-node.js';
import { decideRetry, type RequestKind } from '../core/retry-decision.js';
import type { CallOptions } from '../key-value-store.js';
import { type CallEnvironment, retryDelayMs } from './call-environment.js';
import { type GiveUpReason, givenUpError } from './give-up.js';
import { Lane, type LaneEvents, type LaneRoute } from './lane.js';
import { unpackable } from './log-packs.js';
import { isOfLogs, PendingCall, type PipelineAnswer, type PipelineBody } from './pending-call.js';
import type { PipelineService } from './service-stream.js';
import { SessionKeeper, type SessionKeeperPorts } from './session-keeper.js';
import { closedError, failedWith } from './unary-calls.js';

/**
 * How long a node that went silent may still answer where writes carry no numbers, in milliseconds: they are not sent
 * again, so there is nothing to gain from giving them up before their deadlines.
 */
const unnumberedGraceMs = 60_000;

/** A call for the pipeline. `bytes` is about what its message takes. */
export interface PipelineCall {
  readonly kind: RequestKind;
  readonly body: PipelineBody;
  readonly bytes: number;
  /** Whether any replica may answer it: a read that need not see the newest state. */
  readonly anywhere: boolean;
  /** Calls of the user that it stands for. Default 1. */
  readonly requests?: number;
}

/**
 * Bytes of one request, as the protocol allows. A server ends the whole stream when a message is beyond what it takes,
 * so one that is too large must not be sent at all.
 */
export const maxRequestBytes = 20 * 1024 * 1024;

/** Batches, numbers, sends and sends again. One for each service of a client. */
export class Pipeline implements LaneEvents {
  readonly service: PipelineService;
  readonly #environment: CallEnvironment;
  readonly #sessions: SessionKeeper;
  /** The way to the leader, or to the nearest node. A cluster of several groups has one for each group. */
  readonly #leaderLane: Lane;
  /** Ways to replicas that answered reads. */
  readonly #replicaLanes = new Map<ClusterNode, Lane>();
  #pendingRequests = 0;
  #pendingBytes = 0;

  /** `place`: where the calls go that not any replica answers. */
  constructor(
    environment: CallEnvironment,
    service: PipelineService,
    openSession: SessionKeeperPorts['open'],
    place: 'leader' | 'nearest' = 'leader',
  ) {
    this.service = service;
    this.#environment = environment;
    const route = place === 'leader' ? this.#routeToLeader() : this.#routeToNearest();
    this.#leaderLane = new Lane(environment, route, this);
    if (place === 'leader') environment.leader.whenMoved((abandon) => this.#leaderLane.moved(abandon));
    environment.nodes.whenGone((node) => this.#dropReplica(node));
    this.#sessions = new SessionKeeper({
      open: openSession,
      onAvailable: () => this.#leaderLane.scheduleFlush(),
      onFailure: (error) => this.#failUnnumbered(toClientError(error)),
    });
  }

  /** Sends a call and resolves to its answer. Rejects with a `ClientError`; throws `RangeError` for one too large. */
  submit(request: PipelineCall, callOptions: CallOptions): Promise<PipelineAnswer> {
    const refusal = this.take(request.bytes, callOptions);
    return refusal === undefined ? this.submitTaken(request, callOptions) : Promise.reject(refusal);
  }

  /** Whether the node that calls go to now takes packs of appends. */
  get takesPacks(): boolean {
    return this.#leaderLane.takesPacks;
  }

  /**
   * Counts one call of so many bytes as pending, which must then be submitted, alone or with others that were taken; or
   * says why not. Throws `RangeError` for one too large.
   */
  take(bytes: number, callOptions: CallOptions): ClientError | undefined {
    if (bytes > maxRequestBytes) {
      throw new RangeError(`a request has at most ${maxRequestBytes} bytes, this one has ${bytes}; split it`);
    }
    const refusal = this.#refusal(bytes, callOptions);
    if (refusal !== undefined) return refusal;
    this.#environment.activity.begin();
    this.#pendingRequests++;
    this.#pendingBytes += bytes;
    return undefined;
  }

  /** As `submit`, of calls that were taken. */
  submitTaken(request: PipelineCall, callOptions: CallOptions): Promise<PipelineAnswer> {
    const { options } = this.#environment;
    const timeoutMs = callOptions.timeoutMs ?? options.timeoutMs;
    const call = new PendingCall(options.clock, request, { ...callOptions, timeoutMs }, this.#giveUp);
    const lane = request.anywhere ? this.#laneToReplica() : this.#leaderLane;
    lane.add(call);
    return call.promise;
  }

  /** Gives up the streams. Calls must have settled. */
  close(): void {
    this.#leaderLane.close();
    for (const lane of this.#replicaLanes.values()) lane.close();
    this.#replicaLanes.clear();
  }

  prepare(call: PendingCall): boolean {
    if (call.wantsNumber) {
      call.numbering = this.#sessions.take();
      if (call.numbering === undefined) {
        call.stage = 'session';
        return false;
      }
    }
    call.stage = 'answer';
    call.attempts++;
    const { numbering, body } = call;
    if (numbering === undefined || body.$case === 'get' || isOfLogs(body) || body.value.options === undefined)
      return true;
    body.value.options.sessionId = numbering.session.id;
    body.value.options.requestNumber = BigInt(numbering.number);
    body.value.options.retry = call.maybeApplied;
    return true;
  }

  unpackable(calls: readonly PendingCall[]): void {
    for (const call of calls) this.#finish(call, () => call.reject(unpackable()));
  }

  answered(call: PendingCall, answer: PipelineAnswer): void {
    this.#finish(call, () => call.resolve(answer));
  }

  broke(lane: Lane, call: PendingCall, failure: ClientError): void {
    this.#judge(call, failure, () => this.#leaderLane.putBack(call));
    if (lane === this.#leaderLane) return;
    for (const waiting of lane.takeWaiting()) this.#leaderLane.putBack(waiting);
  }

  refused(_lane: Lane, call: PendingCall, failure: ClientError): void {
    const { clock } = this.#environment.options;
    this.#judge(call, failure, () => {
      call.holder = undefined;
      call.backOff(clock, retryDelayMs(this.#environment, call.attempts), () => {
        call.stage = 'queue';
        this.#leaderLane.add(call);
      });
    });
  }

  #routeToLeader(): LaneRoute {
    const { leader, discovery } = this.#environment;
    return {
      target: () => leader.target(),
      failed: (node) => leader.failed(node),
      refused: (node, failure) => leader.refused(node, failure),
      proved: (node) => {
        if (leader.isProven && leader.target() === node) return;
        leader.proved(node);
        discovery.refresh(node);
      },
      connected: (node) => discovery.refresh(node),
      silent: (node) => void discovery.askOthers(node),
    };
  }

  #routeToNearest(): LaneRoute {
    const { nearest, discovery } = this.#environment;
    return {
      target: () => nearest.target(),
      failed: (node) => nearest.failed(node),
      refused: (node) => nearest.refused(node),
      proved: (node) => node.succeeded(),
      connected: (node) => discovery.refresh(node),
      silent: (node) => {
        nearest.failed(node);
        this.#leaderLane.moved(false);
      },
      graceMs: unnumberedGraceMs,
    };
  }

  /** A lane to a replica that has little to do; the leader's own where that is the one. */
  #laneToReplica(): Lane {
    const { nodes, discovery } = this.#environment;
    if (nodes.all.length === 1) return this.#leaderLane;
    const node = nodes.pick();
    if (node === this.#leaderLane.node) return this.#leaderLane;
    const known = this.#replicaLanes.get(node);
    if (known !== undefined) return known;
    const route: LaneRoute = {
      target: () => node,
      failed: () => node.failed(),
      refused: () => {
        node.failed();
        return 'follow';
      },
      proved: () => {},
      connected: () => discovery.answered(node),
      silent: () => this.#dropReplica(node),
    };
    const lane = new Lane(this.#environment, route, this);
    this.#replicaLanes.set(node, lane);
    return lane;
  }

  /** Gives up the way to a replica; its reads go to the leader. */
  #dropReplica(node: ClusterNode): void {
    const lane = this.#replicaLanes.get(node);
    if (lane === undefined) return;
    node.failed();
    this.#replicaLanes.delete(node);
    for (const waiting of lane.takeWaiting()) this.#leaderLane.putBack(waiting);
    lane.close();
  }

  #refusal(bytes: number, { signal }: CallOptions): ClientError | undefined {
    const { options, activity } = this.#environment;
    if (activity.closed) return closedError();
    if (signal?.aborted) {
      return new ClientError('CANCELLED', 'The caller gave the call up before it began', {
        cause: signal.reason,
        sent: false,
      });
    }
    const tooMany = this.#pendingRequests >= options.maxPendingRequests;
    const tooLarge = this.#pendingRequests > 0 && this.#pendingBytes + bytes > options.maxPendingBytes;
    if (!tooMany && !tooLarge) return undefined;
    return new ClientError(
      'RESOURCE_EXHAUSTED',
      `${this.#pendingRequests} calls with ${this.#pendingBytes} bytes wait already; ` +
        `await some before making more, or raise ${tooMany ? 'maxPendingRequests' : 'maxPendingBytes'}`,
      { sent: false, waitedIn: 'queue' },
    );
  }

  /** Decides what becomes of a call after a failed attempt. */
  #judge(call: PendingCall, failure: ClientError, sendAgain: () => void): void {
    call.lastFailure = failure;
    const decision = decideRetry(
      {
        kind: call.kind,
        maybeApplied: call.maybeApplied,
        attempts: call.attempts,
        maxAttempts: this.#environment.options.maxAttempts,
      },
      failure,
    );
    switch (decision.action) {
      case 'retry':
        call.maybeApplied = decision.maybeApplied;
        call.stage = 'queue';
        sendAgain();
        return;
      case 'renumber':
        this.#renumber(call);
        return;
      case 'fail':
        this.#finish(call, () => call.reject(failedWith(decision.code, failure)));
        if (failure.code === 'SESSION_EXPIRED' && call.numbering !== undefined) {
          this.#sessions.expired(call.numbering.session);
        }
    }
  }

  #renumber(call: PendingCall): void {
    const { numbering } = call;
    if (numbering !== undefined) {
      call.numbering = undefined;
      this.#sessions.expired(numbering.session);
      this.#sessions.settle(numbering);
    }
    call.stage = 'queue';
    this.#leaderLane.putBack(call);
  }

  /** The last thing that happens to a call. */
  #finish(call: PendingCall, tell: () => void): void {
    tell();
    this.#pendingRequests -= call.requests;
    this.#pendingBytes -= call.bytes;
    if (call.numbering !== undefined) this.#sessions.settle(call.numbering);
    this.#environment.activity.end(call.requests);
  }

  readonly #giveUp = (call: PendingCall, reason: GiveUpReason): void => {
    if (call.settled) return;
    const inFlight = call.message !== undefined;
    const { kind } = call;
    const lastFailure = call.stage === 'session' ? (this.#sessions.lastFailure ?? call.lastFailure) : call.lastFailure;
    const maybeApplied = call.maybeApplied || inFlight;
    const error = givenUpError({ kind, maybeApplied, stage: this.#stageOf(call), lastFailure }, reason);
    call.holder?.forget(call);
    this.#finish(call, () => call.reject(error));
  };

  #stageOf(call: PendingCall): CallStage {
    return call.stage === 'queue' ? (call.holder?.waitsFor ?? 'queue') : call.stage;
  }

  /** No session: the writes that wait for one fail; nothing of them was sent. */
  #failUnnumbered(cause: ClientError): void {
    for (const call of this.#leaderLane.takeWaiting(({ wantsNumber }) => wantsNumber)) {
      const message = `No session could be opened: ${cause.message}`;
      const error = new ClientError(cause.code, message, { cause, sent: false, waitedIn: 'session' });
      this.#finish(call, () => call.reject(error));
    }
  }
}
