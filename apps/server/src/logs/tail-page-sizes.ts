/** Entries of a page of a tail. */
export const tailPageEntries = 1000;

/** Entries of a packed page of a tail: many more than its bytes mostly allow. */
export const packedTailEntries = 65_536;

/** Bytes of a packed page of a tail, one entry at least. Measured in ADR 0048. */
export const packedTailBytes = 262_144;
