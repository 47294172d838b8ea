import type { KeyValueServer } from '@shanghai/proto';
import { RangeResponse, WatchResponse } from '@shanghai/proto';
import type { ApiServices } from '../api-services.js';
import { keyValueCalls } from './key-value-calls.js';
import { rangeOf, rangeResponseOf, readContextOf, watchOf, watchResponseOf } from './key-value-messages.js';
import { pipelineCall } from './pipeline-call.js';
import type { OpenPipelines } from './pipelined-calls.js';
import { serverStream } from './server-stream.js';
import { unaryCall } from './unary-call.js';
import { asBuffer } from './wire-numbers.js';

/** The KeyValue service; its pipelines are in `open` while they last. */
export function keyValueService(services: ApiServices, open: OpenPipelines): KeyValueServer {
  const { keyValue } = services.node;
  const calls = keyValueCalls(keyValue);
  return {
    openSession: unaryCall(services, 'KeyValue/OpenSession', calls.openSession),
    get: unaryCall(services, 'KeyValue/Get', calls.get),
    put: unaryCall(services, 'KeyValue/Put', calls.put),
    append: unaryCall(services, 'KeyValue/Append', calls.append),
    delete: unaryCall(services, 'KeyValue/Delete', calls.delete),
    batch: unaryCall(services, 'KeyValue/Batch', calls.batch),
    transact: unaryCall(services, 'KeyValue/Transact', calls.transact),
    range: serverStream(services, 'KeyValue/Range', {
      async *open(request, context) {
        const pages = keyValue.range(rangeOf(request), readContextOf(request.options), context);
        for await (const page of pages) yield rangeResponseOf(page);
      },
      encode: (message) => asBuffer(RangeResponse.encode(message).finish()),
    }),
    watch: serverStream(services, 'KeyValue/Watch', {
      async *open(request, context) {
        for await (const page of keyValue.watch(watchOf(request), context)) yield watchResponseOf(page);
      },
      encode: (message) => asBuffer(WatchResponse.encode(message).finish()),
    }),
    pipeline: pipelineCall(services, calls, open),
  };
}
