import { type LogServer, LogTailResponse } from '@shanghai/proto';
import type { ApiServices } from '../api-services.js';
import {
  appendedMessage,
  appendOf,
  descriptionMessage,
  readMessage,
  readOf,
  settingsOf,
  tailMessage,
  tailOf,
} from './log-messages.js';
import { logPipelineCall } from './log-pipeline-call.js';
import { logUpkeepCalls } from './log-upkeep-calls.js';
import type { OpenPipelines } from './pipelined-calls.js';
import { serverStream } from './server-stream.js';
import { unaryCall } from './unary-call.js';
import { asBuffer } from './wire-numbers.js';

/** The Log service; `open` has the streams of Pipeline that are open. */
export function logService(services: ApiServices, open: OpenPipelines): LogServer {
  const { logs } = services.node;
  return {
    createLog: unaryCall(services, 'Log/CreateLog', async (request, context) => ({
      log: descriptionMessage(await logs.create(request.name, settingsOf(request.settings), context)),
    })),
    listLogs: unaryCall(services, 'Log/ListLogs', async (request, context) => ({
      logs: (await logs.list(request.prefix, context)).map(descriptionMessage),
    })),
    describeLog: unaryCall(services, 'Log/DescribeLog', async (request, context) => ({
      log: descriptionMessage(await logs.describe(request.name, context)),
    })),
    deleteLog: unaryCall(services, 'Log/DeleteLog', async (request, context) => {
      await logs.delete(request.name, context);
      return {};
    }),
    append: unaryCall(services, 'Log/Append', async (request, context) =>
      appendedMessage(await logs.append(appendOf(request), context)),
    ),
    read: unaryCall(services, 'Log/Read', async (request, context) =>
      readMessage(await logs.read(readOf(request), context)),
    ),
    tail: serverStream(services, 'Log/Tail', {
      async *open(request, context) {
        for await (const page of logs.tail(tailOf(request), context)) yield tailMessage(page);
      },
      encode: (message) => asBuffer(LogTailResponse.encode(message).finish()),
    }),
    pipeline: logPipelineCall(services, logs, open),
    ...logUpkeepCalls(services),
  };
}
