import type { handleServerStreamingCall, ServerWritableStream } from '@grpc/grpc-js';
import type { ApiServices } from '../api-services.js';
import { CallContext } from './call-context.js';
import { grpcFailure } from './grpc-failure.js';
import { StreamWriter } from './stream-writer.js';
import { requireDecoded } from './tolerant-service.js';

/** What a streaming procedure is made of. */
export interface StreamHandler<Request, Message> {
  /** Messages, made one at a time as the reader takes them; ends when the context's signal aborts. */
  open(request: Request, context: CallContext): AsyncIterable<Message>;
  /** What it reads of the message is read before it returns. */
  encode(message: Message): Buffer;
  /** Bytes that `encode` gave are on their way; the stream does not read them any more. Not called when it breaks. */
  written?(bytes: Buffer): void;
}

/** Wraps a source of messages: context, back-pressure by bytes, errors by the table, metrics. */
export function serverStream<Request, Response, Message = Response>(
  services: ApiServices,
  method: string,
  handler: StreamHandler<Request, Message>,
): handleServerStreamingCall<Request, Response> {
  const recorder = services.requests.recorder('grpc', method);
  return (call) => {
    const startedMs = services.monotonicMs();
    const context = new CallContext(call, services);
    const streamClosed = services.requests.streamOpened(method);
    const release = services.guards.grpc.hold(call.getPeer());
    const closed = () => {
      streamClosed();
      release();
    };
    pump(call, context, handler, services).then(
      () => {
        closed();
        context.finish();
        recorder.finished(startedMs, 'OK');
        call.end();
      },
      (error: unknown) => {
        closed();
        context.finish();
        const { failure, code } = grpcFailure(error, context.correlationId, method, services.logger);
        recorder.finished(startedMs, code);
        call.emit('error', failure);
      },
    );
  };
}

async function pump<Request, Response, Message>(
  call: ServerWritableStream<Request, Response>,
  context: CallContext,
  handler: StreamHandler<Request, Message>,
  { limits, guards }: ApiServices,
): Promise<void> {
  requireDecoded(call.request);
  const writer = new StreamWriter(call, limits.streamBufferBytes, guards.answering);
  // Asked for now, so that a source that only waits hears when the caller goes.
  const { signal } = context;
  for await (const message of handler.open(call.request, context)) {
    const bytes = handler.encode(message);
    writer.write(bytes, () => handler.written?.(bytes));
    if (writer.isFull) await writer.room();
    if (writer.isClosed || signal.aborted) return;
  }
}
