/** Entries of a page of a tail. */
export const tailPageEntries = 1000;

/** Entries and bytes of a packed one; one entry at least. Measured in ADR 0048. */
export const packedTailEntries = 65_536;
export const packedTailBytes = 262_144;
