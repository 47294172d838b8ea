import type { Bitcask } from '@shanghai/bitcask';

/** What a state machine asks of its store: the part of `Bitcask` it uses. */
export type StateStore = Pick<
  Bitcask,
  'getEntry' | 'getEntrySync' | 'has' | 'range' | 'batch' | 'checkpoint' | 'merge' | 'stats' | 'close'
>;
