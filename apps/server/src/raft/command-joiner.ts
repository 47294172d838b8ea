import { invariant } from '@shanghai/env';
import type { CommandJoiner } from '@shanghai/raft';
import type { ApplyResult } from '../apply/apply-result.js';
import { joinCommands, mayJoin } from '../apply/command-codec.js';

/** An entry of joined commands stays well below what a frame between nodes takes, and what applying one may hold up. */
const maxJoinedBytes = 64 * 1024;

/** A command that is larger costs more to copy than an entry of its own costs. */
const maxCommandBytes = 2_048;

/** Makes one entry of the writes that were proposed in one turn. `isUnderstood`: whether the cluster works in a version that has such entries. */
export function commandJoiner(isUnderstood: () => boolean): CommandJoiner<ApplyResult> {
  return {
    maxBytes: maxJoinedBytes,
    isUnderstood,
    mayJoin: (command) => command.length <= maxCommandBytes && mayJoin(command),
    join: joinCommands,
    split: (result) => {
      invariant(result.type === 'joined', `an entry of joined commands gave '${result.type}'`);
      return result.results;
    },
  };
}
