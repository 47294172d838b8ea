import type { LogServer } from '@shanghai/proto';
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
import { encodePackedTail } from './packed-codec.js';
import { PageBuffers } from './page-buffers.js';
import type { OpenPipelines } from './pipelined-calls.js';
import { serverStream } from './server-stream.js';
import { unaryCall } from './unary-call.js';

/** The Log service; `open` has the streams of Pipeline that are open. */
export function logService(services: ApiServices, open: OpenPipelines): LogServer {
  const { logs } = services.node;
  const buffers = new PageBuffers();
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
        yield* logs.tail(tailOf(request), context);
      },
      encode: (page) => encodePackedTail(tailMessage(page), page.packed ?? [], buffers),
      written: (bytes) => buffers.give(bytes),
    }),
    pipeline: logPipelineCall(services, logs, open),
    ...logUpkeepCalls(services),
  };
}
