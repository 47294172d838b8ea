/** The disk is full and nothing was changed: the call fails, the store goes on. Never leaves this package. */
export class NoSpace extends Error {}
