/** Thrown when the program contradicts itself: a defect of ours, never of the caller, the disk or the network. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** Throws `InvariantError` unless `condition` holds. Always on; use in pairs around boundaries. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}
