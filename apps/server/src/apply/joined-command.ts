/** Several write commands as one entry: what its bytes are, and what applying it will read. */
import type { CommandBody, CommandHeader, JoinedCommand, WriteCommand } from './command.js';
import { keysRead } from './key-value-apply.js';
import type { SessionTable } from './session-table.js';

/** Whether a command writes keys. */
export function isWrite(body: CommandBody): body is WriteCommand {
  return body.kind === 'independent' || body.kind === 'atomic' || body.kind === 'transact';
}

/** The keys whose stored values a write will look at, added to `keys`. */
export function keysOfWrite(header: CommandHeader, body: WriteCommand, sessions: SessionTable, keys: Buffer[]): void {
  if (body.kind !== 'independent' || body.operations.some(({ type }) => type === 'append'))
    keys.push(...keysRead(body));
  if (header.sessionId !== 0) keys.push(...sessions.resultKeys(header.sessionId, header.requestNumber));
}

/** Likewise, all the writes of an entry. */
export function keysOfJoined({ commands }: JoinedCommand, sessions: SessionTable, keys: Buffer[]): void {
  let last = '';
  for (const { header, body } of commands) {
    keysOfWrite(header, body, sessions, keys);
    const key = header.sessionId === 0 ? undefined : sessions.keyToExtend(header.sessionId, header.requestNumber);
    const name = key?.toString('latin1') ?? last;
    if (key !== undefined && name !== last) keys.push(key);
    last = name;
  }
}
