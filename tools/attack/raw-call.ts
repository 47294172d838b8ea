/** Calls of gRPC that no library would make: of HTTP/2 streams, their bytes as they are given. */
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { status } from '@grpc/grpc-js';

/** A connection of HTTP/2 on which a failure is no news. */
export function openSession(address: string): ClientHttp2Session {
  const session = connectHttp2(`http://${address}`);
  session.on('error', () => undefined);
  return session;
}

/** A message of gRPC: what it holds, whether it says that it is compressed, and the length it claims. */
export function grpcMessage(bytes: Uint8Array, isCompressed = false, claimedBytes = bytes.length): Buffer {
  const head = Buffer.alloc(5);
  head[0] = isCompressed ? 1 : 0;
  head.writeUInt32BE(claimedBytes, 1);
  return Buffer.concat([head, bytes]);
}

/** Begins a call. Nothing is read until somebody does. */
export function beginCall(
  session: ClientHttp2Session,
  path: string,
  headers: OutgoingHttpHeaders = {},
): ClientHttp2Stream | undefined {
  if (session.closed || session.destroyed) return undefined;
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  stream.on('error', () => undefined);
  return stream;
}

/** How a call ends: the name of its status, with our own code where there is one, `reset`, or `left open`. */
export function endOf(stream: ClientHttp2Stream | undefined, limitMs: number): Promise<string> {
  if (stream === undefined || stream.closed) return Promise.resolve('reset');
  return new Promise((resolve) => {
    const timer = setTimeout(() => done('left open'), limitMs);
    const done = (answer: string) => {
      clearTimeout(timer);
      resolve(answer);
    };
    const heard = (headers: Record<string, unknown>) => {
      const code = headers['grpc-status'];
      if (code === undefined) return;
      const own = headers['shanghai-error-code'] ?? headers['shanghai-refusal'];
      done(`${status[Number(code)] ?? code}${own === undefined ? '' : ` ${own}`}`);
    };
    stream.on('response', heard);
    stream.on('trailers', heard);
    // Trailers come before the end.
    stream.on('close', () => done(stream.rstCode === 0 ? 'ended' : 'reset'));
  });
}

/** One call from its beginning to its end, everything that comes thrown away. */
export async function callOnce(
  address: string,
  path: string,
  bytes: Uint8Array,
  { headers = {}, limitMs = 15_000 }: { readonly headers?: OutgoingHttpHeaders; readonly limitMs?: number } = {},
): Promise<string> {
  const session = openSession(address);
  try {
    const stream = beginCall(session, path, headers);
    stream?.resume();
    stream?.end(bytes);
    return await endOf(stream, limitMs);
  } finally {
    session.destroy();
  }
}
