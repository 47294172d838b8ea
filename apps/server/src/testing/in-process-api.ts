/**
 * A node's API without a network: messages of the protocol in, messages out, each encoded and decoded on the way as it
 * would be. For simulators and tests that have a network of their own.
 */
import * as wire from '@shanghai/proto';
import { wireFailure } from '../api/error-mapping.js';
import { nodeMessage } from '../api/grpc/cluster-messages.js';
import { statusResponse } from '../api/grpc/cluster-service.js';
import { detailsJson } from '../api/grpc/grpc-failure.js';
import { keyValueCalls } from '../api/grpc/key-value-calls.js';
import { rangeOf, rangeResponseOf, readContextOf, watchOf, watchResponseOf } from '../api/grpc/key-value-messages.js';
import { keyspaceMessage } from '../api/grpc/keyspace-messages.js';
import {
  appendedMessage,
  appendOf,
  descriptionMessage,
  readMessage,
  readOf,
  settingsOf,
  tailMessage,
  tailOf,
} from '../api/grpc/log-messages.js';
import { commitOf, committedMessage, consumerMessage, seekOf, soughtMessage } from '../api/grpc/log-upkeep-messages.js';
import { settingsMessage } from '../api/grpc/member-calls.js';
import { packedEntriesMessage } from '../api/grpc/packed-codec.js';
import { knownNodes } from '../api/known-nodes.js';
import { clusterView } from '../health/core/cluster-view.js';
import { sightOf } from '../health/sight-of.js';
import type { LogUpkeepRequests } from '../logs/log-upkeep-requests.js';
import type { ShanghaiNode } from '../node.js';
import type { RequestContext } from '../requests/request-context.js';
import { ServerError } from '../requests/server-error.js';

/** Requests and answers of the methods that there are. */
export interface InProcessMethods {
  readonly openSession: readonly [wire.OpenSessionRequest, wire.OpenSessionResponse];
  readonly getStatus: readonly [wire.GetStatusRequest, wire.GetStatusResponse];
  readonly listNodes: readonly [wire.ListNodesRequest, wire.ListNodesResponse];
  readonly listKeyspaces: readonly [wire.ListKeyspacesRequest, wire.ListKeyspacesResponse];
  readonly createLog: readonly [wire.CreateLogRequest, wire.CreateLogResponse];
  readonly describeLog: readonly [wire.DescribeLogRequest, wire.DescribeLogResponse];
  readonly appendLog: readonly [wire.LogAppendRequest, wire.LogAppendResponse];
  readonly readLog: readonly [wire.LogReadRequest, wire.LogReadResponse];
  readonly commitPosition: readonly [wire.CommitPositionRequest, wire.CommitPositionResponse];
  readonly getPosition: readonly [wire.GetPositionRequest, wire.GetPositionResponse];
  readonly listConsumers: readonly [wire.ListConsumersRequest, wire.ListConsumersResponse];
  readonly seekConsumer: readonly [wire.SeekConsumerRequest, wire.SeekConsumerResponse];
}

/** A method's name. */
export type InProcessMethod = keyof InProcessMethods;

/** What a node answers. Calls reject as the node's own do; `failureOf` says what a caller elsewhere would be told. */
export interface InProcessApi {
  unary<Method extends InProcessMethod>(
    method: Method,
    request: InProcessMethods[Method][0],
    context: RequestContext,
  ): Promise<InProcessMethods[Method][1]>;
  /** One request of a pipeline, which is not a group. Never rejects. */
  pipeline(request: wire.PipelineRequest, context: RequestContext): Promise<wire.PipelineResponse>;
  range(request: wire.RangeRequest, context: RequestContext): AsyncIterable<wire.RangeResponse>;
  watch(request: wire.WatchRequest, context: RequestContext): AsyncIterable<wire.WatchResponse>;
  tailLog(request: wire.LogTailRequest, context: RequestContext): AsyncIterable<wire.LogTailResponse>;
  failureOf(error: unknown): wire.ErrorDetail;
}

/** The API of a node. `onDefect` hears of failures that no caller should see: `INTERNAL_ERROR`. */
export function inProcessApi(node: ShanghaiNode, onDefect: (error: unknown) => void): InProcessApi {
  const failureOf = (error: unknown): wire.ErrorDetail => {
    const { code, message, details } = wireFailure(error, 'in-process');
    if (code === 'INTERNAL_ERROR') onDefect(error);
    return { code, message, detailsJson: detailsJson(details) ?? '' };
  };
  const calls = keyValueCalls(node.keyValue);
  const handlers = handlersOf(node);
  return {
    unary(method, request, context) {
      return handlers[method](request, context);
    },
    async pipeline(request, context) {
      const { id, request: one } = copied(wire.PipelineRequest, request);
      try {
        return copied(wire.PipelineResponse, { id, response: await answerOf(calls, one, context) });
      } catch (error) {
        return { id, response: { $case: 'error', value: failureOf(error) } };
      }
    },
    async *range(request, context) {
      const message = copied(wire.RangeRequest, request);
      const pages = node.keyValue.range(rangeOf(message), readContextOf(message.options), context);
      for await (const page of pages) yield copied(wire.RangeResponse, rangeResponseOf(page));
    },
    async *watch(request, context) {
      const pages = node.keyValue.watch(watchOf(copied(wire.WatchRequest, request)), context);
      for await (const page of pages) yield copied(wire.WatchResponse, watchResponseOf(page));
    },
    async *tailLog(request, context) {
      const pages = node.logs.tail(tailOf(copied(wire.LogTailRequest, request)), context);
      for await (const page of pages) {
        // Their bytes are used again for later pages.
        const packed = (page.packed ?? []).map((one) => packedEntriesMessage(one, Buffer.from(one.bytes)));
        yield copied(wire.LogTailResponse, { ...tailMessage(page), packed });
      }
    },
    failureOf,
  };
}

type Handlers = {
  readonly [Method in InProcessMethod]: (
    request: InProcessMethods[Method][0],
    context: RequestContext,
  ) => Promise<InProcessMethods[Method][1]>;
};

function handlersOf(node: ShanghaiNode): Handlers {
  const { logs } = node;
  const calls = keyValueCalls(node.keyValue);
  const none = { http: '', grpc: '', peer: '' };
  return {
    openSession: passing(wire.OpenSessionRequest, wire.OpenSessionResponse, calls.openSession),
    getStatus: passing(wire.GetStatusRequest, wire.GetStatusResponse, async () =>
      statusResponse(node.status(), none, seenBy(node), {
        version: 'in-process',
        nowMs: () => node.status().startedAtMs,
      }),
    ),
    listNodes: passing(wire.ListNodesRequest, wire.ListNodesResponse, async () => ({
      nodes: knownNodes(node.status(), none, seenBy(node).view.nodes).map(nodeMessage),
      ...settingsMessage(node),
    })),
    listKeyspaces: passing(wire.ListKeyspacesRequest, wire.ListKeyspacesResponse, async (_request, context) => ({
      keyspaces: (node.keyspaces?.list(context) ?? []).map(keyspaceMessage),
    })),
    describeLog: passing(wire.DescribeLogRequest, wire.DescribeLogResponse, async ({ name }, context) => ({
      log: descriptionMessage(await logs.describe(name, context)),
    })),
    createLog: passing(wire.CreateLogRequest, wire.CreateLogResponse, async ({ name, settings }, context) => ({
      log: descriptionMessage(await logs.create(name, settingsOf(settings), context)),
    })),
    appendLog: passing(wire.LogAppendRequest, wire.LogAppendResponse, async (request, context) =>
      appendedMessage(await logs.append(appendOf(request), context)),
    ),
    readLog: passing(wire.LogReadRequest, wire.LogReadResponse, async (request, context) =>
      readMessage(await logs.read(readOf(request), context)),
    ),
    ...consumerHandlers(node),
  };
}

type ConsumerMethod = 'commitPosition' | 'getPosition' | 'listConsumers' | 'seekConsumer';

function consumerHandlers(node: ShanghaiNode): Pick<Handlers, ConsumerMethod> {
  const upkeep = (): LogUpkeepRequests => {
    if (node.logUpkeep !== undefined) return node.logUpkeep;
    throw new ServerError('UNSUPPORTED', 'this node keeps no consumers');
  };
  return {
    commitPosition: passing(wire.CommitPositionRequest, wire.CommitPositionResponse, async (request, context) =>
      committedMessage(await upkeep().commit(commitOf(request), context)),
    ),
    getPosition: passing(wire.GetPositionRequest, wire.GetPositionResponse, async ({ log, consumer }, context) => ({
      consumer: consumerMessage(await upkeep().consumer(log, consumer, context)),
    })),
    listConsumers: passing(wire.ListConsumersRequest, wire.ListConsumersResponse, async ({ log, prefix }, context) => ({
      consumers: (await upkeep().consumers(log, prefix, context)).map(consumerMessage),
    })),
    seekConsumer: passing(wire.SeekConsumerRequest, wire.SeekConsumerResponse, async (request, context) =>
      soughtMessage(await upkeep().seek(seekOf(request), context)),
    ),
  };
}

async function answerOf(
  calls: ReturnType<typeof keyValueCalls>,
  request: wire.PipelineRequest['request'],
  context: RequestContext,
): Promise<NonNullable<wire.PipelineResponse['response']>> {
  switch (request?.$case) {
    case 'get':
      return { $case: 'get', value: await calls.get(request.value, context) };
    case 'put':
      return { $case: 'put', value: await calls.put(request.value, context) };
    case 'append':
      return { $case: 'append', value: await calls.append(request.value, context) };
    case 'delete':
      return { $case: 'delete', value: await calls.delete(request.value, context) };
    case 'batch':
      return { $case: 'batch', value: await calls.batch(request.value, context) };
    case 'transact':
      return { $case: 'transact', value: await calls.transact(request.value, context) };
    case 'group':
    case undefined:
      throw new TypeError('a pipeline request holds a request that is not a group');
  }
}

/** What a node that asks no other knows of its cluster. */
function seenBy(node: ShanghaiNode) {
  const checks = node.readiness().map((check) => ({ ...check, sinceMs: 0 }));
  const more = { uptimeMs: Number.POSITIVE_INFINITY, checks, reports: [], stuck: [] };
  return { view: clusterView(sightOf(node.status(), more)), checks };
}

interface MessageForm<Message> {
  encode(message: Message): { finish(): Uint8Array };
  decode(bytes: Uint8Array): Message;
}

/** A message as it arrives: what its sender does with the original concerns nobody. */
function copied<Message>(form: MessageForm<Message>, message: Message): Message {
  return form.decode(Buffer.from(form.encode(message).finish()));
}

function passing<Request, Response>(
  request: MessageForm<Request>,
  response: MessageForm<Response>,
  handle: (request: Request, context: RequestContext) => Promise<Response>,
): (request: Request, context: RequestContext) => Promise<Response> {
  return async (message, context) => copied(response, await handle(copied(request, message), context));
}
