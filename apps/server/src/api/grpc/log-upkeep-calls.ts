import type { LogServer } from '@shanghai/proto';
import type { LogUpkeepRequests } from '../../logs/log-upkeep-requests.js';
import { ServerError } from '../../requests/server-error.js';
import type { ApiServices } from '../api-services.js';
import {
  commitOf,
  committedMessage,
  consumerMessage,
  keptMessage,
  producerMessage,
  producerQuestionOf,
  seekOf,
  soughtMessage,
  trimOf,
} from './log-upkeep-messages.js';
import { unaryCall } from './unary-call.js';

type UpkeepProcedure =
  | 'trimLog'
  | 'describeProducer'
  | 'commitPosition'
  | 'getPosition'
  | 'listConsumers'
  | 'seekConsumer'
  | 'deleteConsumer';

/** The procedures of the Log service about trims, producers and consumers. */
export function logUpkeepCalls(services: ApiServices): Pick<LogServer, UpkeepProcedure> {
  const { node } = services;
  const upkeep = (): LogUpkeepRequests => {
    if (node.logUpkeep !== undefined) return node.logUpkeep;
    throw new ServerError('UNSUPPORTED', 'this node keeps no consumers, and trims nothing by hand');
  };
  return {
    trimLog: unaryCall(services, 'Log/TrimLog', async (request, context) =>
      keptMessage(await upkeep().trim(trimOf(request), context)),
    ),
    describeProducer: unaryCall(services, 'Log/DescribeProducer', async (request, context) =>
      producerMessage(await upkeep().producer(producerQuestionOf(request), context)),
    ),
    commitPosition: unaryCall(services, 'Log/CommitPosition', async (request, context) =>
      committedMessage(await upkeep().commit(commitOf(request), context)),
    ),
    getPosition: unaryCall(services, 'Log/GetPosition', async ({ log, consumer }, context) => ({
      consumer: consumerMessage(await upkeep().consumer(log, consumer, context)),
    })),
    listConsumers: unaryCall(services, 'Log/ListConsumers', async ({ log, prefix }, context) => ({
      consumers: (await upkeep().consumers(log, prefix, context)).map(consumerMessage),
    })),
    seekConsumer: unaryCall(services, 'Log/SeekConsumer', async (request, context) =>
      soughtMessage(await upkeep().seek(seekOf(request), context)),
    ),
    deleteConsumer: unaryCall(services, 'Log/DeleteConsumer', async ({ log, consumer }, context) => {
      await upkeep().deleteConsumer(log, consumer, context);
      return {};
    }),
  };
}
