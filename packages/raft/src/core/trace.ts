/** How much a decision matters to somebody who watches. */
export type TraceLevel = 'debug' | 'info' | 'warn' | 'error';

/** Hears of decisions as they are made, in words. `describe` makes the words, for who wants them. Must not call the core. */
export type TraceListener = (level: TraceLevel, describe: () => string) => void;
