const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** The text whose UTF-8 form these bytes are; what is not UTF-8 becomes U+FFFD. */
export function textOf(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** The UTF-8 form of a text. */
export function bytesOf(text: string): Uint8Array {
  return encoder.encode(text);
}
