/**
 * The procedures of the KeyValue service that answer one message with one message. They are apart from the service,
 * because Pipeline carries the same requests.
 */
import type * as wire from '@shanghai/proto';
import type { KeyValueRequests, OperationOutcome, WriteRequest } from '../../requests/key-value-requests.js';
import type { Answered, RequestContext } from '../../requests/request-context.js';
import { ServerError } from '../../requests/server-error.js';
import {
  batchOf,
  getResponseOf,
  headerOf,
  operationResultOf,
  putOperation,
  readContextOf,
  transactionOf,
  writeContextOf,
} from './key-value-messages.js';
import { safeNumber } from './wire-numbers.js';

/** Message in, message out; rejects with what `error-mapping.ts` knows. */
export interface KeyValueCalls {
  openSession(request: wire.OpenSessionRequest, context: RequestContext): Promise<wire.OpenSessionResponse>;
  get(request: wire.GetRequest, context: RequestContext): Promise<wire.GetResponse>;
  put(request: wire.PutRequest, context: RequestContext): Promise<wire.PutResponse>;
  append(request: wire.AppendRequest, context: RequestContext): Promise<wire.AppendResponse>;
  delete(request: wire.DeleteRequest, context: RequestContext): Promise<wire.DeleteResponse>;
  batch(request: wire.BatchRequest, context: RequestContext): Promise<wire.BatchResponse>;
  transact(request: wire.TransactRequest, context: RequestContext): Promise<wire.TransactResponse>;
}

/** The calls over the key-value plane. */
export function keyValueCalls(keyValue: KeyValueRequests): KeyValueCalls {
  /** What `make` makes of the answer of a write; one promise, whatever lies between here and the log. */
  const write = <Response>(
    request: WriteRequest,
    options: wire.WriteOptions | undefined,
    context: RequestContext,
    make: (answered: Answered<readonly OperationOutcome[]>) => Response,
  ): Promise<Response> =>
    new Promise((resolve, reject) => {
      const answered = (answer: Answered<readonly OperationOutcome[]>) => {
        try {
          resolve(make(answer));
        } catch (error) {
          reject(error);
        }
      };
      const writeContext = writeContextOf(options);
      if (keyValue.submit === undefined) keyValue.write(request, writeContext, context).then(answered, reject);
      else keyValue.submit(request, writeContext, context, { answered, failed: reject });
    });
  const writeAll = (request: WriteRequest, options: wire.WriteOptions | undefined, context: RequestContext) =>
    write(request, options, context, (answered) => ({
      header: headerOf(answered),
      results: answered.value.map(operationResultOf),
    }));
  return {
    async openSession(request, context) {
      const answered = await keyValue.openSession(safeNumber(request.ttlMs, 'ttl_ms'), context);
      const { sessionId, ttlMs } = answered.value;
      return { header: headerOf(answered), sessionId: BigInt(sessionId), ttlMs: BigInt(ttlMs) };
    },
    async get(request, context) {
      return getResponseOf(await keyValue.get(request.key, readContextOf(request.options), context));
    },
    put: (request, context) => write(single(putOperation(request)), request.options, context, putAnswer),
    append: ({ key, value, options }, context) =>
      write(single({ type: 'append', key, value }), options, context, applied),
    delete: ({ key, options }, context) => write(single({ type: 'delete', key }), options, context, applied),
    batch: (request, context) => writeAll(batchOf(request), request.options, context),
    transact: (request, context) => writeAll(transactionOf(request), request.options, context),
  };
}

function putAnswer(answered: Answered<readonly OperationOutcome[]>): wire.PutResponse {
  const { header, revision } = applied(answered);
  return { header, revision };
}

function single(operation: WriteRequest['operations'][number]): WriteRequest {
  return { kind: 'independent', operations: [operation] };
}

interface Applied {
  readonly header: wire.ResponseHeader;
  readonly revision: bigint;
  readonly deleted: boolean;
  readonly valueBytes: bigint;
}

/** The outcome of a write of one operation; its failure is the call's. */
function applied(answered: Answered<readonly OperationOutcome[]>): Applied {
  const outcome = answered.value[0];
  if (outcome === undefined) throw new ServerError('INTERNAL_ERROR', 'a write of one operation had no outcome');
  if (!outcome.ok) throw new ServerError(outcome.code, outcome.message);
  return {
    header: headerOf(answered),
    revision: BigInt(outcome.revision),
    deleted: outcome.deleted ?? false,
    valueBytes: BigInt(outcome.valueBytes ?? 0),
  };
}
