import { InvariantError } from '@shanghai/env';
import { BitcaskError } from './bitcask-error.js';
import type { BitcaskListener } from './bitcask-events.js';
import type { StoreHealth } from './store-context.js';

/** The health of a store that nothing has happened to yet. */
export function createHealth(directory: string, listener: BitcaskListener): StoreHealth {
  let failure: BitcaskError | undefined;
  return {
    get failure() {
      return failure;
    },
    poison(error) {
      if (failure !== undefined) return;
      failure = new BitcaskError(
        'POISONED',
        `an earlier write to '${directory}' failed (${error.message}); nothing is written any more, open the store again`,
        { cause: error },
      );
      listener.poisoned?.({ error });
    },
  };
}

/** What the caller of a write hears that a failure of the disk made uncertain. */
export function writeFailure(directory: string, error: unknown): Error {
  if (error instanceof BitcaskError || error instanceof InvariantError) return error;
  return new BitcaskError(
    'IO_ERROR',
    `writing '${directory}' failed and it is not known what reached the disk: ${String(error)}; open the store again`,
    { cause: error },
  );
}

/** What the caller of a write hears that changed nothing for want of space. */
export function diskFull(error: Error): BitcaskError {
  return new BitcaskError('DISK_FULL', `${error.message}; nothing of this was kept, make room and try again`, {
    cause: error.cause ?? error,
  });
}
