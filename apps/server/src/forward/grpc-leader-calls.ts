/** Calls to a leader over its gRPC listener for clients: the same services, marked as passed on. */
import { type CallOptions, type ClientUnaryCall, Metadata, type ServiceError } from '@grpc/grpc-js';
import { wireMetadata } from '@shanghai/proto';
import { continuedTraceparent, traceparentKey } from '../api/correlation.js';
import { settingsMessage } from '../api/grpc/log-messages.js';
import { asBuffer } from '../api/grpc/wire-numbers.js';
import type { RequestContext } from '../requests/request-context.js';
import { ServerError } from '../requests/server-error.js';
import { forwardedFailure } from './forwarded-failure.js';
import type { ForwardedLogUpkeep } from './forwarding-log-upkeep.js';
import type { LeaderCalls } from './leader-calls.js';
import { type LeaderChannel, LeaderChannels } from './leader-channels.js';
import { commitRequest, placeOf, seekRequest, trimRequest } from './log-upkeep-wire.js';
import { appendedOf, appendRequest, descriptionOf } from './log-wire.js';
import { addressOf, verdictOf } from './member-wire.js';
import { batchRequest, outcomesOf, sessionOf, transactRequest } from './write-wire.js';

/** Who asks. */
export interface GrpcLeaderCallsOptions {
  readonly clusterId: string;
  readonly nodeId: number;
  /** An answer that takes longer is an unknown outcome. Default 15,000. */
  readonly timeoutMs?: number;
}

const defaultTimeoutMs = 15_000;

/** A procedure of a generated client. */
type Procedure<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: Partial<CallOptions>,
  callback: (error: ServiceError | null, response: Response) => void,
) => ClientUnaryCall;

/** `LeaderCalls` over gRPC. Connections are made when first needed and kept. */
export function grpcLeaderCalls(options: GrpcLeaderCallsOptions): LeaderCalls {
  const channels = new LeaderChannels();
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
  let isClosed = false;
  const call = async <Request, Response>(
    leader: string,
    procedure: (channel: LeaderChannel) => Procedure<Request, Response>,
    request: Request,
    context?: RequestContext,
  ): Promise<Response> => {
    if (isClosed) throw new ServerError('SERVICE_UNAVAILABLE', 'the node is closing; nothing was done, ask another');
    const channel = channels.to(leader);
    channel.calls++;
    try {
      const metadata = metadataOf(options.clusterId, context);
      return await callOnce(procedure(channel), request, metadata, leader, timeoutMs, context);
    } finally {
      channel.calls--;
    }
  };
  return {
    openSession: async (leader, ttlMs, context) =>
      sessionOf(
        await call(leader, ({ keyValue }) => keyValue.openSession.bind(keyValue), { ttlMs: BigInt(ttlMs) }, context),
      ),
    async write(leader, request, write, context) {
      const response =
        request.kind === 'transact'
          ? await call(
              leader,
              ({ keyValue }) => keyValue.transact.bind(keyValue),
              transactRequest(request, write),
              context,
            )
          : await call(leader, ({ keyValue }) => keyValue.batch.bind(keyValue), batchRequest(request, write), context);
      return outcomesOf(request, response);
    },
    async createLog(leader, name, settings, context) {
      const request = { name, settings: settingsMessage(settings) };
      return descriptionOf(await call(leader, ({ log }) => log.createLog.bind(log), request, context));
    },
    async deleteLog(leader, name, context) {
      await call(leader, ({ log }) => log.deleteLog.bind(log), { name }, context);
    },
    appendLog: async (leader, request, context) =>
      appendedOf(await call(leader, ({ log }) => log.append.bind(log), appendRequest(request), context)),
    logUpkeep: (leader) => upkeepAt((procedure, request, context) => call(leader, procedure, request, context)),
    async proposeCatalogue(leader, change) {
      const request = {
        clusterId: options.clusterId,
        fromNodeId: BigInt(options.nodeId),
        change: asBuffer(new TextEncoder().encode(JSON.stringify(change))),
      };
      const response = await call(
        leader.grpcAddress,
        ({ internal }) => internal.proposeCatalogue.bind(internal),
        request,
      );
      return Number(response.appliedIndex);
    },
    async advanceTime(leader, groupId) {
      const request = { clusterId: options.clusterId, groupId: BigInt(groupId) };
      const { appliedIndex } = await call(leader, ({ internal }) => internal.advanceTime.bind(internal), request);
      return Number(appliedIndex);
    },
    async checkMember(address, nodeId, instanceId) {
      const request = { clusterId: options.clusterId, nodeId: BigInt(nodeId), instanceId };
      const checked = await call(address, ({ internal }) => internal.checkMember.bind(internal), request);
      return { verdict: verdictOf(checked.verdict), members: checked.members.map(addressOf) };
    },
    close() {
      isClosed = true;
      channels.close();
    },
  };
}

/** One call to a leader. */
type Ask = <Request, Response>(
  procedure: (channel: LeaderChannel) => Procedure<Request, Response>,
  request: Request,
  context: RequestContext,
) => Promise<Response>;

function upkeepAt(ask: Ask): ForwardedLogUpkeep {
  return {
    async trim(request, context) {
      const kept = await ask(({ log }) => log.trimLog.bind(log), trimRequest(request), context);
      return { firstSequence: Number(kept.firstSequence), lastSequence: Number(kept.lastSequence) };
    },
    commit: async (request, context) =>
      placeOf(await ask(({ log }) => log.commitPosition.bind(log), commitRequest(request), context)),
    seek: async (request, context) =>
      placeOf(await ask(({ log }) => log.seekConsumer.bind(log), seekRequest(request), context)),
    async deleteConsumer(log, consumer, context) {
      await ask((channel) => channel.log.deleteConsumer.bind(channel.log), { log, consumer }, context);
    },
  };
}

function callOnce<Request, Response>(
  procedure: Procedure<Request, Response>,
  request: Request,
  metadata: Metadata,
  leader: string,
  timeoutMs: number,
  context: RequestContext | undefined,
): Promise<Response> {
  // The library compares deadlines with the machine's clock.
  const deadline = Math.min(context?.deadlineMs ?? Number.POSITIVE_INFINITY, Date.now() + timeoutMs);
  return new Promise((resolve, reject) => {
    const cancel = () => call.cancel();
    const call = procedure(request, metadata, { deadline }, (error, response) => {
      context?.signal.removeEventListener('abort', cancel);
      if (error === null) resolve(response);
      else reject(forwardedFailure(error, leader, context));
    });
    context?.signal.addEventListener('abort', cancel, { once: true });
    if (context?.signal.aborted === true) cancel();
  });
}

function metadataOf(clusterId: string, context: RequestContext | undefined): Metadata {
  const metadata = new Metadata();
  metadata.set(wireMetadata.forwarded, '1');
  // An address of the node table may by now be that of another cluster's node.
  metadata.set(wireMetadata.clusterId, clusterId);
  if (context === undefined) return metadata;
  metadata.set(wireMetadata.correlationId, context.correlationId);
  const traceparent = continuedTraceparent(context.traceparent);
  if (traceparent !== undefined) metadata.set(traceparentKey, traceparent);
  return metadata;
}
