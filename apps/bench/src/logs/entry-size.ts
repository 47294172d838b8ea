/** Bytes of every entry of these cases. */
export const valueBytes = 128;
