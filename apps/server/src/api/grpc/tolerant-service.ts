/**
 * Two changes to a generated service definition.
 *
 * A message that cannot be decoded is the caller's mistake, but grpc-js answers INTERNAL where a decoder throws. Here
 * the decoder gives an `UndecodableMessage` in place of the message, and the call answers INVALID_REQUEST.
 *
 * A handler of a stream may answer with bytes it encoded itself: then it knows how many wait for a slow reader.
 */
import type { ServiceDefinition } from '@grpc/grpc-js';
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

/** The same service with tolerant decoders and encoders. */
export function tolerantService<Definition extends ServiceDefinition>(definition: Definition): Definition {
  const methods = Object.entries(definition).map(([name, method]) => {
    const { requestDeserialize, responseSerialize } = method;
    return [
      name,
      {
        ...method,
        requestDeserialize(bytes: Buffer): unknown {
          try {
            return requestDeserialize(bytes);
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
