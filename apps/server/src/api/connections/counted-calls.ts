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

/** Smaller messages that come whole are not counted: that would cost each call, and they are bounded by their number. */
const smallBytes = 16_384;
const resourceExhausted = 8;
const noError = 0;

/** An interceptor that counts calls in a budget. */
export function countedCalls(budget: ReceiveBudget): ServerInterceptor {
  return (_method, call) => {
    const inner = call as unknown as InnerCall;
    if (typeof inner.decoder?.write === 'function' && inner.stream !== undefined) {
      inner.decoder = new CountedDecoder(inner.decoder, inner, budget);
    }
    // The library takes any call here, and this one is its own.
    return call as ServerInterceptingCallInterface as ReturnType<ServerInterceptor>;
  };
}

class CountedDecoder implements Decoder {
  readonly #decoder: Decoder;
  readonly #call: InnerCall;
  readonly #budget: ReceiveBudget;
  #share: ReceiveShare | undefined;
  #isOver = false;

  constructor(decoder: Decoder, call: InnerCall, budget: ReceiveBudget) {
    this.#decoder = decoder;
    this.#call = call;
    this.#budget = budget;
  }

  write(data: Buffer): Buffer[] {
    if (this.#isOver) return [];
    const messages = this.#decoder.write(data);
    if (this.#share === undefined && data.length < smallBytes && isWhole(data, messages)) return messages;
    this.#share ??= this.#open();
    if (!this.#share.add(data.length)) {
      if (!this.#isOver) this.#end();
      return [];
    }
    // A stream's messages are bounded by what is answered at once; of a call there is one, which is held till its end.
    if (messages.length > 0) {
      if (this.#call.handler?.type === 'unary') this.#share.complete();
      else this.#share.release();
    }
    return messages;
  }

  #open(): ReceiveShare {
    const share = this.#budget.open(() => this.#end());
    this.#call.stream?.once('close', () => share.release());
    return share;
  }

  #end(): void {
    this.#isOver = true;
    const details = `requests of more than ${this.#budget.limitBytes} bytes are coming in; nothing was done, try again later`;
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
