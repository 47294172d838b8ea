/** Messages, entries and work as text, in the form of the published traces. */
import {
  appendThread,
  applyThread,
  type ConfState,
  decodeConfChange,
  type Entry,
  type HardState,
  isEmptyHardState,
  type Message,
  type Ready,
  type Snapshot,
} from '@shanghai/raft';
import { typesByLetter } from './configuration-commands.js';

/** A message in one line, or several where it holds several entries, a snapshot or responses. */
export function describeMessage(message: Message, indent = ''): string {
  const { from, to, type, term, logTerm, index, entries, snapshot, responses } = message;
  let text = `${indent}${describeTarget(from)}->${describeTarget(to)} ${type} Term:${term} Log:${logTerm}/${index}`;
  if (message.reject) text += ` Rejected (Hint: ${message.rejectHint})`;
  if (message.commit !== 0) text += ` Commit:${message.commit}`;
  if (message.vote !== 0) text += ` Vote:${message.vote}`;
  const [only] = entries;
  if (entries.length === 1 && only !== undefined) text += ` Entries:[${describeEntry(only)}]`;
  if (entries.length > 1) {
    text += ` Entries:[${entries.map((entry) => `\n${indent}  ${describeEntry(entry)}`).join('')}\n${indent}]`;
  }
  if (snapshot !== undefined) text += `\n${indent}  Snapshot: ${describeSnapshot(snapshot)}`;
  if (responses.length > 0) {
    const lines = responses.map((response) => `\n${describeMessage(response, `${indent}  `)}`);
    text += ` Responses:[${lines.join('')}\n${indent}]`;
  }
  return text;
}

/** An entry in one line. */
export function describeEntry({ term, index, type, data }: Entry): string {
  const content = type === 'EntryNormal' ? quoted(data) : describeConfChange(data);
  return `${term}/${index} ${type}${content === '' ? '' : ` ${content}`}`;
}

/** What a node asks of its owner. */
export function describeReady(ready: Ready): string {
  const { softState, hardState, readStates, entries, snapshot, committedEntries, messages } = ready;
  const lines: string[] = [];
  if (softState !== undefined) lines.push(`Lead:${softState.lead} State:${softState.state}`);
  if (!isEmptyHardState(hardState)) lines.push(`HardState ${describeHardState(hardState)}`);
  if (readStates.length > 0) {
    lines.push(`ReadStates [${readStates.map(({ index, context }) => `{${index} [${context}]}`).join(' ')}]`);
  }
  if (entries.length > 0) lines.push('Entries:', ...entries.map(describeEntry));
  if (snapshot !== undefined) lines.push(`Snapshot ${describeSnapshot(snapshot)}`);
  if (committedEntries.length > 0) lines.push('CommittedEntries:', ...committedEntries.map(describeEntry));
  if (messages.length > 0) lines.push('Messages:', ...messages.map((message) => describeMessage(message)));
  if (lines.length === 0) return '<empty Ready>\n';
  return `Ready MustSync=${ready.mustSync}:\n${lines.map((line) => `${line}\n`).join('')}`;
}

function describeHardState({ term, vote, commit }: HardState): string {
  return `Term:${term}${vote === 0 ? '' : ` Vote:${vote}`} Commit:${commit}`;
}

function describeSnapshot({ metadata: { index, term, confState } }: Snapshot): string {
  return `Index:${index} Term:${term} ConfState:${describeConfState(confState)}`;
}

function describeConfState({ voters, votersOutgoing, learners, learnersNext, autoLeave }: ConfState): string {
  const ids = (list: readonly number[]) => `[${list.join(' ')}]`;
  return `Voters:${ids(voters)} VotersOutgoing:${ids(votersOutgoing)} Learners:${ids(learners)} LearnersNext:${ids(learnersNext)} AutoLeave:${autoLeave}`;
}

function describeConfChange(data: Uint8Array): string {
  const letters = Object.entries(typesByLetter);
  const { changes } = decodeConfChange(data);
  return changes.map(({ type, nodeId }) => `${letters.find(([, name]) => name === type)?.[0]}${nodeId}`).join(' ');
}

function describeTarget(id: number): string {
  if (id === 0) return 'None';
  if (id === appendThread) return 'AppendThread';
  if (id === applyThread) return 'ApplyThread';
  return id.toString(16);
}

function quoted(data: Uint8Array): string {
  return JSON.stringify(Buffer.from(data).toString());
}
