/**
 * A message as gRPC sends it in the body of an HTTP/2 request: one byte "not compressed", its length in four bytes, the
 * message. (gRPC over HTTP/2, "Length-Prefixed-Message".)
 */
export function grpcFrame(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(5 + message.length);
  new DataView(frame.buffer).setUint32(1, message.length);
  frame.set(message, 5);
  return frame;
}
