import type { Readable } from 'node:stream';
import { ServerError } from '../../requests/server-error.js';
import type { ReceiveBudget } from '../connections/receive-budget.js';

/** Where a body comes from, and when its request is over. */
export interface IncomingBody {
  readonly body: Readable;
  /** As the header says; `NaN` where it does not. */
  readonly contentLength: number;
  readonly maxBytes: number;
  /** Calls back when the request is answered or its connection gone. */
  onOver(release: () => void): void;
}

/**
 * The whole of a body, counted in a budget until its request is over. Rejects with `INVALID_REQUEST` where it is larger
 * than allowed, and with `RESOURCE_EXHAUSTED` where there is no room.
 */
export function collectBody(
  { body, contentLength, maxBytes, onOver }: IncomingBody,
  budget: ReceiveBudget,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    let isEnded = false;
    const fail = (error: Error) => {
      if (isEnded) return;
      isEnded = true;
      chunks.length = 0;
      // What still comes is read and forgotten, so that the answer can be.
      body.resume();
      reject(error);
    };
    const noRoom = () =>
      new ServerError(
        'RESOURCE_EXHAUSTED',
        `requests of more than ${budget.limitBytes} bytes are coming in; nothing was done, try again later`,
      );
    const share = budget.open(() => fail(noRoom()));
    onOver(() => share.release());
    body.on('error', fail);
    body.on('aborted', () => fail(new ServerError('CANCELLED', 'the caller gave up')));
    body.on('data', (chunk: Buffer) => {
      if (isEnded) return;
      bytes += chunk.length;
      if (bytes > maxBytes) fail(tooLarge(maxBytes));
      else if (share.add(chunk.length)) chunks.push(chunk);
      else fail(noRoom());
    });
    body.on('end', () => {
      if (isEnded) return;
      isEnded = true;
      share.complete();
      resolve(Buffer.concat(chunks, bytes));
    });
    if (contentLength > maxBytes) fail(tooLarge(maxBytes));
  });
}

function tooLarge(maxRequestBytes: number): ServerError {
  return new ServerError('INVALID_REQUEST', `the body is larger than ${maxRequestBytes} bytes`, {
    details: { maxRequestBytes },
  });
}
