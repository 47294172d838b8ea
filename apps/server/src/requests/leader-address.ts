/** Where a leader takes requests, as far as it is known. */
export interface LeaderAddress {
  /** `host:port` of its gRPC listener. */
  readonly grpc: string;
  /** `host:port` of its HTTP listener; `''`: not known. */
  readonly http: string;
}
