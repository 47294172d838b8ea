/** What a log tells whoever listens. Every method is optional and must not throw; all are called on the log's thread. */
export interface WalListener {
  /** A sync completed: how many records and bytes it covered, how long write and sync took. */
  synced?(event: {
    readonly records: number;
    readonly bytes: number;
    readonly writeMs: number;
    readonly syncMs: number;
  }): void;
  segmentOpened?(event: { readonly segment: string; readonly bytes: number; readonly recycled: boolean }): void;
  segmentSealed?(event: { readonly segment: string; readonly bytes: number; readonly lastLsn: number }): void;
  segmentReleased?(event: { readonly segment: string; readonly recycled: boolean }): void;
  tornTail?(event: {
    readonly segment: string;
    readonly offset: number;
    readonly bytes: number;
    readonly copy: string;
  }): void;
  poisoned?(event: { readonly error: Error }): void;
  /** The append queue refused a record. */
  queueFull?(event: { readonly queuedBytes: number }): void;
}
