/**
 * Three changes to a generated service definition.
 *
 * A message that cannot be decoded is the caller's mistake, but grpc-js answers INTERNAL where a decoder throws. Here
 * the decoder gives an `UndecodableMessage` in place of the message, and the call answers INVALID_REQUEST.
 *
 * A large message is decoded only as far as it holds no more fields than a request may: two bytes can stand for an object,
 * and a few megabytes of them would keep the process busy for seconds and fill its memory.
 *
 * A handler of a stream may answer with bytes it encoded itself: then it knows how many wait for a slow reader.
 */
import type { ServiceDefinition } from '@grpc/grpc-js';
import { boundedReader } from '@shanghai/proto';
import { ServerError } from '../../requests/server-error.js';

/** Stands for a message that is not of its type. */
export class UndecodableMessage {
  readonly reason: string;

  constructor(error: unknown) {
    this.reason = error instanceof Error ? error.message : String(error);
  }
}

/** Throws `INVALID_REQUEST` where the message could not be decoded. */
export function requireDecoded<Message>(message: Message | UndecodableMessage): asserts message is Message {
  if (message instanceof UndecodableMessage) {
    throw new ServerError('INVALID_REQUEST', `the message cannot be decoded: ${message.reason}`);
  }
}

/** Below this a message cannot hold so many fields that it matters. */
const smallBytes = 65_536;

/** Tags and lengths of a message, for so many operations. A record of a log has as many as it has headers. */
export function maxFieldsOf(maxOperations: number): number {
  return 500_000 + 16 * maxOperations;
}

/** The same service with tolerant decoders and encoders. `ownDecoders`: methods whose decoders take bytes only, and bound themselves. */
export function tolerantService<Definition extends ServiceDefinition>(
  definition: Definition,
  maxOperations: number,
  ownDecoders: readonly string[] = [],
): Definition {
  const maxFields = maxFieldsOf(maxOperations);
  const methods = Object.entries(definition).map(([name, method]) => {
    const { responseSerialize } = method;
    const decode = method.requestDeserialize as (bytes: Buffer | ReturnType<typeof boundedReader>) => unknown;
    const isOwn = ownDecoders.includes(name);
    return [
      name,
      {
        ...method,
        requestDeserialize(bytes: Buffer): unknown {
          try {
            return isOwn || bytes.length <= smallBytes ? decode(bytes) : decode(boundedReader(bytes, maxFields));
          } catch (error) {
            return new UndecodableMessage(error);
          }
        },
        responseSerialize: (message: unknown) => (message instanceof Buffer ? message : responseSerialize(message)),
      },
    ];
  });
  return Object.fromEntries(methods) as Definition;
}
