/**
 * The standard health service, grpc.health.v1.Health, written from its public definition: three calls and two small
 * messages, for which loading a library that reads `.proto` files would be most of what a start costs.
 */
import {
  type Server,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';

/** What a service may be, by its number on the wire. */
const statuses = { SERVING: 1, NOT_SERVING: 2, SERVICE_UNKNOWN: 3 } as const;

/** Of a service that is known. */
export type ServingStatus = 'SERVING' | 'NOT_SERVING';

const tags = { string: 10, status: 8, entry: 10, entryKey: 10, entryValue: 18 };

/** Keeps who serves, answers those who ask, and tells those who watch. */
export class HealthService {
  readonly #statuses = new Map<string, ServingStatus>();
  readonly #watchers = new Map<string, Set<(status: ServingStatus) => void>>();

  set(service: string, serving: ServingStatus): void {
    if (this.#statuses.get(service) === serving) return;
    this.#statuses.set(service, serving);
    for (const tell of this.#watchers.get(service) ?? []) tell(serving);
  }

  addTo(server: Server): void {
    server.addService(definition, {
      check: (call: ServerUnaryCall<HealthRequest, Buffer>, answer: sendUnaryData<Buffer>) => {
        const known = this.#statuses.get(call.request.service);
        if (known !== undefined) answer(null, statusMessage(known));
        else
          answer({
            code: status.NOT_FOUND,
            details: `there is no service '${call.request.service.slice(0, 200)}' here`,
          });
      },
      list: (_call: ServerUnaryCall<HealthRequest, Buffer>, answer: sendUnaryData<Buffer>) =>
        answer(null, this.#list()),
      watch: (call: ServerWritableStream<HealthRequest, Buffer>) => this.#watch(call),
    });
  }

  #watch(call: ServerWritableStream<HealthRequest, Buffer>): void {
    const tell = (serving: ServingStatus) => void call.write(statusMessage(serving));
    const { service } = call.request;
    const watchers = this.#watchers.get(service) ?? new Set();
    this.#watchers.set(service, watchers.add(tell));
    call.on('close', () => {
      watchers.delete(tell);
      if (watchers.size === 0) this.#watchers.delete(service);
    });
    call.write(statusMessage(this.#statuses.get(service) ?? 'SERVICE_UNKNOWN'));
  }

  #list(): Buffer {
    const entries = [...this.#statuses].map(([service, serving]) => {
      const value = statusMessage(serving);
      const entry = Buffer.concat([textField(tags.entryKey, service), prefixed(tags.entryValue, value)]);
      return prefixed(tags.entry, entry);
    });
    return Buffer.concat(entries);
  }
}

function statusMessage(serving: keyof typeof statuses): Buffer {
  return Buffer.of(tags.status, statuses[serving]);
}

function textField(tag: number, text: string): Buffer {
  return prefixed(tag, Buffer.from(text));
}

/** A field of bytes; those here have fewer than 128. */
function prefixed(tag: number, bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.of(tag, bytes.length), bytes]);
}

/** Whoever asks names a service; the empty name is the server as a whole. */
export interface HealthRequest {
  readonly service: string;
}

/** A request. Fields that are not known are passed over. Throws `RangeError` for what is no message. */
export function decodeHealthRequest(message: Buffer): HealthRequest {
  let service = '';
  let at = 0;
  const varint = () => {
    for (let value = 0, factor = 1; ; factor *= 128) {
      const byte = message[at++];
      if (byte === undefined || factor > 2 ** 42) throw new RangeError('the request of health is malformed');
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const tag = varint();
    const bytes = tag % 8 === 2 ? varint() : { 0: 0, 1: 8, 5: 4 }[tag % 8];
    if (tag % 8 === 0) varint();
    if (bytes === undefined || at + bytes > message.length) throw new RangeError('the request of health is malformed');
    if (tag === tags.string) service = message.toString('utf8', at, at + bytes);
    at += bytes;
  }
  return { service };
}

const asIs = (message: Buffer) => message;

function method(name: string, isStream: boolean) {
  return {
    path: `/grpc.health.v1.Health/${name}`,
    requestStream: false,
    responseStream: isStream,
    requestSerialize: ({ service }: HealthRequest) => textField(tags.string, service),
    requestDeserialize: decodeHealthRequest,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
}

const definition: ServiceDefinition = {
  check: method('Check', false),
  list: method('List', false),
  watch: method('Watch', true),
};
