/** Pipeline of the KeyValue service: the unary calls as a stream of many. */
import type { handleBidiStreamingCall } from '@grpc/grpc-js';
import type { PipelineRequest, PipelineResponse } from '@shanghai/proto';
import type { RequestRecorder } from '../../observability/request-metrics.js';
import type { RequestContext } from '../../requests/request-context.js';
import type { ApiServices } from '../api-services.js';
import type { KeyValueCalls } from './key-value-calls.js';
import { encodePipelineAnswers } from './pipeline-codec.js';
import { pipelineRequestBytes, pipelineResponseBytes } from './pipeline-sizes.js';
import { type OpenPipelines, PipelinedCalls, type PipelinedWork } from './pipelined-calls.js';

type Body = Exclude<NonNullable<PipelineRequest['request']>, { $case: 'group' }>;
type Answer = Exclude<NonNullable<PipelineResponse['response']>, { $case: 'answers' } | { $case: 'error' }>;

/** The Pipeline procedure over the unary calls. Each stream is in `open` for as long as it lasts. */
export function pipelineCall(
  services: ApiServices,
  calls: KeyValueCalls,
  open: OpenPipelines,
): handleBidiStreamingCall<PipelineRequest, PipelineResponse> {
  const method = 'KeyValue/Pipeline';
  const recorder = (operation: string) => services.requests.recorder('grpc', `${method}/${operation}`);
  const recorders: Readonly<Record<Body['$case'], RequestRecorder>> = {
    get: recorder('Get'),
    put: recorder('Put'),
    append: recorder('Append'),
    delete: recorder('Delete'),
    batch: recorder('Batch'),
    transact: recorder('Transact'),
  };
  const work: PipelinedWork<Body, Answer> = {
    method,
    recorderOf: (body) => recorders[body.$case],
    requestBytes: pipelineRequestBytes,
    answerBytes: pipelineResponseBytes,
    isRead: (body) => body.$case === 'get',
    answer: (body, context) => answerOf(calls, body, context),
    encode: encodePipelineAnswers,
  };
  return (call) => void new PipelinedCalls(call, services, work, open);
}

async function answerOf(calls: KeyValueCalls, body: Body, context: RequestContext): Promise<Answer> {
  switch (body.$case) {
    case 'get':
      return { $case: 'get', value: await calls.get(body.value, context) };
    case 'put':
      return { $case: 'put', value: await calls.put(body.value, context) };
    case 'append':
      return { $case: 'append', value: await calls.append(body.value, context) };
    case 'delete':
      return { $case: 'delete', value: await calls.delete(body.value, context) };
    case 'batch':
      return { $case: 'batch', value: await calls.batch(body.value, context) };
    case 'transact':
      return { $case: 'transact', value: await calls.transact(body.value, context) };
  }
}
