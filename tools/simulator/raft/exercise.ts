/** What a simulation has been through: a proof in which nothing happens proves nothing. */
export interface Exercise {
  readonly elections: number;
  readonly crashes: number;
  /** Records that a crash took, because they were not synced. */
  readonly lostRecords: number;
  readonly snapshotsSent: number;
  readonly snapshotsRestored: number;
  readonly compactions: number;
  /** Appends that overwrote entries of a node's log. */
  readonly overwrites: number;
  readonly configurations: number;
  readonly jointConfigurations: number;
  readonly reads: number;
  readonly droppedReads: number;
  readonly refusedProposals: number;
  readonly rejectedAppends: number;
  readonly transfers: number;
  readonly messagesLost: number;
}

/** Counts as it goes. */
export type ExerciseCounts = { -readonly [Key in keyof Exercise]: Exercise[Key] };

/** Nothing has happened. */
export function emptyExercise(): ExerciseCounts {
  return {
    elections: 0,
    crashes: 0,
    lostRecords: 0,
    snapshotsSent: 0,
    snapshotsRestored: 0,
    compactions: 0,
    overwrites: 0,
    configurations: 0,
    jointConfigurations: 0,
    reads: 0,
    droppedReads: 0,
    refusedProposals: 0,
    rejectedAppends: 0,
    transfers: 0,
    messagesLost: 0,
  };
}
