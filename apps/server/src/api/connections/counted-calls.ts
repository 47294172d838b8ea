/**
 * Counts what gRPC calls have sent of their messages. The library gathers the parts of a message in a decoder of each
 * call, of which it tells nobody; so the decoder is taken from within the call and counted before and after. Where it is
 * not found, there being no promise that it is, nothing is counted; a test sees to it that it is.
 */
import type { ServerInterceptingCallInterface, ServerInterceptor } from '@grpc/grpc-js';
import type { ReceiveBudget, ReceiveShare } from './receive-budget.js';

/** Messages from bytes as they come; throwing ends the call with RESOURCE_EXHAUSTED. */
interface Decoder {
  write(data: Buffer): Buffer[];
}

/** The part of a call that is used. */
interface InnerCall {
  decoder?: Decoder;
  readonly handler?: { readonly type?: string };
  readonly stream?: { once(event: 'close', listener: () => void): unknown; close(code: number): void };
  sendStatus(status: { code: number; details: string }): void;
}

/** What an open call costs before it has sent anything, about. */
const callBytes = 8_192;
/** Smaller messages that come whole are not counted: they are gone before the next one comes. */
const smallBytes = 16_384;
/** Streams for as long as they last, of all connections; half of the calls that there is room for are not these. */
const maxStreams = 10_000;
const resourceExhausted = 8;
const noError = 0;

/** An interceptor that counts calls in a budget. */
export function countedCalls(budget: ReceiveBudget): ServerInterceptor {
  const streams = { open: 0 };
  return (_method, call) => {
    const inner = call as unknown as InnerCall;
    if (typeof inner.decoder?.write === 'function' && inner.stream !== undefined) {
      inner.decoder = new CountedDecoder(inner.decoder, inner, budget, streams);
    }
    // The library takes any call here, and this one is its own.
    return call as ServerInterceptingCallInterface as ReturnType<ServerInterceptor>;
  };
}

class CountedDecoder implements Decoder {
  readonly #decoder: Decoder;
  readonly #call: InnerCall;
  readonly #share: ReceiveShare;
  readonly #limitBytes: number;
  readonly #isUnary: boolean;
  #isOver = false;

  constructor(decoder: Decoder, call: InnerCall, budget: ReceiveBudget, streams: { open: number }) {
    this.#decoder = decoder;
    this.#call = call;
    this.#limitBytes = budget.limitBytes;
    this.#isUnary = call.handler?.type === 'unary';
    const share = budget.open(() => this.#end());
    this.#share = share;
    if (!this.#isUnary) streams.open++;
    const isRoom = (this.#isUnary || streams.open <= maxStreams) && share.add(callBytes);
    call.stream?.once('close', () => {
      if (!this.#isUnary) streams.open--;
      share.release();
    });
    // The library is still at making the call.
    if (!isRoom) setImmediate(() => this.#end());
  }

  write(data: Buffer): Buffer[] {
    if (this.#isOver) return [];
    const messages = this.#decoder.write(data);
    if (data.length < smallBytes && isWhole(data, messages)) {
      this.#share.complete();
      return messages;
    }
    if (!this.#share.add(data.length)) {
      this.#end();
      return [];
    }
    if (messages.length === 0) return messages;
    this.#share.complete();
    // What a stream has sent is bounded by what is answered at once; the message of a call is held till its end.
    if (!this.#isUnary) this.#share.shrinkTo(callBytes);
    return messages;
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const details = `too much is coming in (${this.#limitBytes} bytes, or ${maxStreams} streams); nothing was done, try again later`;
    this.#call.sendStatus({ code: resourceExhausted, details });
    // What the caller still sends is for nobody.
    setImmediate(() => this.#call.stream?.close(noError));
  }
}

/** Whether nothing of `data` stays behind. */
function isWhole(data: Buffer, messages: readonly Buffer[]): boolean {
  let length = 0;
  for (const message of messages) length += message.length;
  return length === data.length;
}
