/** The randomness port. A seeded form gives the same numbers for the same seed on every machine. */
export interface Random {
  /** An integer in [0, 2^32). */
  uint32(): number;
  /** A number in [0, 1) with 53 random bits. */
  float(): number;
  /** An integer in [0, limit). `limit` is in [1, 2^32]. */
  below(limit: number): number;
  /** `length` random bytes in a buffer of their own. */
  bytes(length: number): Uint8Array;
}
