/**
 * Why a connection could not be made, in words, from what the gRPC library says of a call on a channel that failed:
 * "No connection established. Last error: …". The texts are the library's and may change; what is not known is passed on.
 */
export function unreachableReason(details: string): string {
  if (details.includes('ECONNREFUSED')) return 'connection refused; is a node running there?';
  // An HTTP/1 server answers the connection preface with an error of its own.
  if (/Protocol error|ERR_HTTP2_ERROR|Parse Error/.test(details)) {
    return 'what listens there does not speak gRPC; is this the HTTP port? Use the gRPC port';
  }
  if (/Name resolution failed|ENOTFOUND|EAI_AGAIN/.test(details)) return 'the name of the host is not known';
  const last = /Last error: (?:Error: )?(.*?)(?: \(\d{4}-[^)]*\))?(?:\. Resolution note:.*)?$/s.exec(details)?.[1];
  return `${last ?? details}; is a node running there?`;
}
