/** What a fuzzer throws bytes at. */

/** Errors by which a decoder may refuse. */
export type Refusal = abstract new (...args: never) => Error;

/** A decoder, or several that work on the same bytes, with inputs that it takes. */
export interface FuzzTarget {
  /** `package: what`; `tools/fuzz/decoders.json` names it. */
  readonly name: string;
  /** Inputs that are accepted; mutations begin with them. Made once. */
  examples(): readonly Uint8Array[] | Promise<readonly Uint8Array[]>;
  /** Returns a value or throws one of `refusals`. `example`: the index of the input that was mutated. */
  decode(bytes: Uint8Array, example: number): unknown;
  readonly refusals: readonly Refusal[];
  /** Makes the checksums hold again, in place, so that what stands behind them is reached too. */
  seal?(bytes: Uint8Array, example: number): void;
  /** The bytes of a decoded value: then decoding them again gives the same value. */
  encode?(value: never): Uint8Array;
  /** How much one case costs beside a decoder in memory; such targets get as much fewer cases. Default 1. */
  readonly cost?: number;
}
