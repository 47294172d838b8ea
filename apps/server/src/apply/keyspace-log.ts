/**
 * A keyspace of mode multi-master has a log of its own, which the catalogue does not list: its id follows from that of the
 * keyspace. So an own group knows what to fold from its commands alone. Ids of other logs stay far below.
 */
const firstKeyspaceLog = 0x8000_0000;

/** Id of a keyspace's log. */
export function keyspaceLogId(keyspaceId: number): number {
  return firstKeyspaceLog + keyspaceId;
}

/** The keyspace of a log; `undefined` for a log that is no keyspace's. */
export function keyspaceOfLog(logId: number): number | undefined {
  return logId < firstKeyspaceLog ? undefined : logId - firstKeyspaceLog;
}
