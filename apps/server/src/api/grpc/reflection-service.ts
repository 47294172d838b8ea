/**
 * The standard reflection service. What it tells is read, and the library that tells it is loaded, when somebody asks for
 * the first time: both take longer than everything else that a start of the listener does.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { type Server, type ServerDuplexStream, type ServiceDefinition, status } from '@grpc/grpc-js';

const versions = ['v1', 'v1alpha'] as const;
type Version = (typeof versions)[number];
type Call = ServerDuplexStream<Buffer, Buffer>;

/** As the library serves it: it hears messages and writes messages. */
interface LoadedService {
  decode(bytes: Buffer): unknown;
  encode(message: unknown): Buffer;
  serve(stream: object): void;
}

/** Adds it in both of its versions. */
export function addReflection(server: Server): void {
  let loading: Promise<ReadonlyMap<string, LoadedService>> | undefined;
  for (const version of versions) {
    server.addService(definitionOf(version), {
      serverReflectionInfo(call: Call) {
        // What comes before it is loaded waits in the stream.
        loading ??= load();
        loading.then(
          (loaded) => serve(loaded.get(pathOf(version)) as LoadedService, call),
          () => {
            loading = undefined;
            call.emit('error', { code: status.UNAVAILABLE, details: 'reflection cannot be loaded here' });
          },
        );
      },
    });
  }
}

const pathOf = (version: Version) => `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
const asIs = (message: Buffer) => message;

function definitionOf(version: Version): ServiceDefinition {
  return {
    serverReflectionInfo: {
      path: pathOf(version),
      requestStream: true,
      responseStream: true,
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    },
  };
}

/** Joins a call of bytes to a service of messages. */
function serve({ decode, encode, serve: begin }: LoadedService, call: Call): void {
  begin({
    on(event: string, listener: (message?: unknown) => void) {
      if (event !== 'data') return call.on(event, listener);
      return call.on('data', (bytes: Buffer) => {
        try {
          listener(decode(bytes));
        } catch {
          call.emit('error', { code: status.INVALID_ARGUMENT, details: 'the request of reflection is malformed' });
        }
      });
    },
    write: (message: unknown) => call.write(encode(message)),
    end: () => call.end(),
  });
}

async function load(): Promise<ReadonlyMap<string, LoadedService>> {
  const [{ ReflectionService }, { loadFileDescriptorSetFromBuffer }, { healthDescription }] = await Promise.all([
    import('@grpc/reflection'),
    import('@grpc/proto-loader'),
    import('./health-description.js'),
  ]);
  const path = createRequire(import.meta.url).resolve('@shanghai/proto/descriptors.binpb');
  const descriptors = loadFileDescriptorSetFromBuffer(await readFile(path));
  const loaded = new Map<string, LoadedService>();
  // The library adds itself to a server: this one only looks at what it is given.
  const observer = {
    addService(definition: ServiceDefinition, handlers: Record<string, (stream: object) => void>) {
      for (const [name, { path, requestDeserialize, responseSerialize }] of Object.entries(definition)) {
        const handler = handlers[name] as (stream: object) => void;
        loaded.set(path, { decode: requestDeserialize, encode: responseSerialize, serve: handler });
      }
    },
  };
  const service = new ReflectionService({ ...descriptors, ...healthDescription() });
  service.addToServer(observer as unknown as Parameters<typeof service.addToServer>[0]);
  return loaded;
}
