/**
 * Runs an `interaction` file: whole nodes, driven step by step. Messages lie in one list until they are delivered; work
 * lies with its node until it is processed.
 */
import { createMessage, isLocalTarget, type Message, RaftError, type RaftOptions } from '@shanghai/raft';
import { parseConfChanges } from './configuration-commands.js';
import { type Directive, type DirectiveArgument, wholeNumber } from './datadriven-file.js';
import { describeEntry, describeMessage, describeReady } from './describe-messages.js';
import { ScriptedNode } from './scripted-node.js';
import { TraceOutput } from './trace-output.js';

type Handler = (directive: Directive) => void;

/** The nodes of one file. */
export class InteractionCommands {
  readonly #nodes: ScriptedNode[] = [];
  readonly #output = new TraceOutput();
  #messages: Message[] = [];
  readonly #handlers: Readonly<Record<string, Handler>> = {
    'add-nodes': (directive) => this.#addNodes(directive),
    campaign: (directive) => this.#node(directive).raft.campaign(),
    compact: (directive) => this.#compact(directive),
    'deliver-msgs': (directive) => this.#deliverCommand(directive),
    'forget-leader': (directive) => this.#node(directive).raft.forgetLeader(),
    'log-level': ({ arguments: [level] }) => {
      this.#output.level = level?.key ?? '';
    },
    'process-append-thread': (d) => this.#each(d, 'processing append thread', (id) => this.#processWork(id, 'append')),
    'process-apply-thread': (d) => this.#each(d, 'processing apply thread', (id) => this.#processWork(id, 'apply')),
    'process-ready': (directive) => this.#each(directive, 'handling Ready', (id) => this.#processReady(id)),
    propose: (directive) => this.#propose(directive),
    'propose-conf-change': (directive) => this.#proposeConfChange(directive),
    'raft-log': (directive) => this.#printLog(this.#node(directive)),
    'raft-state': () => this.#printStates(),
    'report-unreachable': (directive) => {
      const [, lost] = ids(directive);
      this.#node(directive).raft.reportUnreachable(lost as number);
    },
    'send-snapshot': (directive) => this.#sendSnapshot(directive),
    'set-randomized-election-timeout': (directive) => {
      this.#node(directive).raft.setRandomizedElectionTimeout(wholeNumber(option(directive, 'timeout') ?? ''));
    },
    stabilize: (directive) => this.#stabilizeCommand(directive),
    status: (directive) => this.#printStatus(this.#node(directive)),
    'tick-election': (directive) => this.#tick(directive, electionTick),
    'tick-heartbeat': (directive) => this.#tick(directive, heartbeatTick),
    'transfer-leadership': (directive) => {
      const [from = '', to = ''] = [option(directive, 'from'), option(directive, 'to')];
      this.#nodeOf(wholeNumber(from)).raft.transferLeader(wholeNumber(to));
    },
  };

  run(directive: Directive): string {
    const handler = Object.hasOwn(this.#handlers, directive.command) ? this.#handlers[directive.command] : undefined;
    if (handler === undefined) throw new Error(`unknown command '${directive.command}'`);
    this.#output.reset();
    try {
      handler(directive);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (this.#output.isQuiet) return `${error.message}\n`;
      this.#output.write(error.message);
    }
    return this.#output.text === '' ? 'ok\n' : this.#output.text;
  }

  #addNodes(directive: Directive): void {
    checkOptions(directive, ['voters', 'learners', 'index', 'content', ...Object.keys(nodeOptions)]);
    const count = ids(directive)[0] ?? 0;
    const index = wholeNumber(option(directive, 'index') ?? '0');
    const list = (key: string) => options(directive, key).map(wholeNumber);
    const [voters, learners] = [list('voters'), list('learners')];
    const data = Buffer.from(option(directive, 'content') ?? '');
    const isBootstrapped = voters.length > 0 || learners.length > 0 || index > 0 || data.length > 0;
    if (isBootstrapped && index <= 1) throw new Refusal('index must be specified as > 1 due to bootstrap');
    const confState = { voters, learners, votersOutgoing: [], learnersNext: [], autoLeave: false };
    const origin = isBootstrapped ? { metadata: { index, term: 1, confState }, data } : undefined;
    let given: Partial<RaftOptions> = {};
    for (const { key, values } of directive.arguments) given = { ...given, ...nodeOptions[key]?.(values[0] ?? 'true') };
    for (let i = 0; i < count; i++) {
      const id = this.#nodes.length + 1;
      const own = { id, electionTick, heartbeatTick, maxInflightMessages: 2 ** 31 - 1, random: () => 0, ...given };
      const trace = (level: string, describe: () => string) => this.#output.log(level, describe());
      this.#nodes.push(new ScriptedNode({ ...own, trace }, origin));
    }
  }

  #compact(directive: Directive): void {
    const [, index] = ids(directive);
    const node = this.#node(directive);
    node.storage.compact(index as number);
    this.#printLog(node);
  }

  #deliverCommand({ arguments: given }: Directive): void {
    let type: string | undefined;
    const recipients: { id: number; isDropped: boolean }[] = [];
    for (const { key, values } of given) {
      if (key === 'type') type = values[0];
      else if (key === 'drop') recipients.push(...values.map((id) => ({ id: wholeNumber(id), isDropped: true })));
      else recipients.push({ id: wholeNumber(key), isDropped: false });
    }
    let delivered = 0;
    for (const { id, isDropped } of recipients) delivered += this.#deliver(id, type, isDropped);
    if (delivered === 0) this.#output.write('no messages');
  }

  #deliver(id: number, type: string | undefined, isDropped: boolean): number {
    const isChosen = (message: Message) =>
      message.to === id &&
      (type === undefined || message.type === type) &&
      !(isDropped && (isLocalTarget(message.from) || message.from === message.to));
    const chosen = this.#messages.filter(isChosen);
    this.#messages = this.#messages.filter((message) => !isChosen(message));
    for (const message of chosen) {
      this.#output.write(`${isDropped ? 'dropped: ' : ''}${describeMessage(message)}`);
      if (!isDropped) this.#step(this.#nodeOf(id), message);
    }
    return chosen.length;
  }

  #step({ raft }: ScriptedNode, message: Message): void {
    try {
      if (raft.step(message) !== undefined) this.#output.write('raft proposal dropped');
    } catch (error) {
      if (!(error instanceof RaftError)) throw error;
      const isUnknown = error.code === 'PEER_NOT_FOUND';
      this.#output.write(isUnknown ? 'raft: cannot step as peer not found' : 'raft: cannot step raft local message');
    }
  }

  #each(directive: Directive, what: string, process: (id: number) => void): void {
    const chosen = ids(directive);
    for (const id of chosen) {
      if (chosen.length === 1) process(id);
      else {
        this.#output.write(`> ${id} ${what}`);
        this.#output.indented(() => process(id));
      }
    }
  }

  #processReady(id: number): void {
    const node = this.#nodeOf(id);
    const ready = node.raft.ready();
    this.#output.write(describeReady(ready));
    const { isAsync } = node;
    if (!isAsync) {
      node.append(ready.hardState, ready.entries, ready.snapshot);
      node.apply(ready.committedEntries);
    }
    for (const message of ready.messages) {
      if (message.type === 'MsgStorageAppend') node.appendWork.push(message);
      else if (message.type === 'MsgStorageApply') node.applyWork.push(message);
      else this.#messages.push(message);
    }
    if (!isAsync) node.raft.advance();
  }

  #processWork(id: number, kind: 'append' | 'apply'): void {
    const node = this.#nodeOf(id);
    const work = (kind === 'append' ? node.appendWork : node.applyWork).shift();
    if (work === undefined) {
      this.#output.write(`no ${kind} work to perform`);
      return;
    }
    this.#output.write(`Processing:\n${describeMessage({ ...work, responses: [] })}`);
    if (kind === 'append') node.append(work, work.entries, work.snapshot);
    else node.apply(work.entries);
    this.#output.write('Responses:');
    for (const response of work.responses) this.#output.write(describeMessage(response));
    this.#messages.push(...work.responses);
  }

  #propose(directive: Directive): void {
    const data = Buffer.from(directive.arguments[1]?.key ?? '');
    if (this.#node(directive).raft.propose(data) !== undefined) throw new Refusal('raft proposal dropped');
  }

  #proposeConfChange(directive: Directive): void {
    checkOptions(directive, ['v1', 'transition']);
    const isV1 = option(directive, 'v1') === 'true';
    const transition = option(directive, 'transition') ?? 'auto';
    if (transition !== 'auto' && transition !== 'implicit' && transition !== 'explicit') {
      throw new Error(`unknown transition '${transition}'`);
    }
    const changes = parseConfChanges(directive.input);
    if (isV1 && (changes.length !== 1 || transition !== 'auto')) {
      throw new Refusal('v1 conf change can only have one operation and no transition');
    }
    const type = isV1 ? 'EntryConfChange' : 'EntryConfChangeV2';
    const dropped = this.#node(directive).raft.proposeConfChange({ transition, changes }, type);
    if (dropped !== undefined) throw new Refusal('raft proposal dropped');
  }

  #printLog({ storage }: ScriptedNode): void {
    const [first, last] = [storage.firstIndex(), storage.lastIndex()];
    if (last < first) {
      this.#output.write(`log is empty: first index=${first}, last index=${last}`);
      return;
    }
    const entries = storage.entries(first, last + 1, Number.POSITIVE_INFINITY);
    if (typeof entries !== 'string') for (const entry of entries) this.#output.write(describeEntry(entry));
  }

  #printStates(): void {
    for (const { raft } of this.#nodes) {
      const { id, state, isVoter, term, lead } = raft.status();
      this.#output.write(`${id}: ${state} (${isVoter ? 'Voter' : 'Non-Voter'}) Term:${term} Lead:${lead}`);
    }
  }

  #printStatus({ raft }: ScriptedNode): void {
    for (const { id, text } of raft.status().progress) this.#output.write(`${id}: ${text}`);
  }

  #sendSnapshot(directive: Directive): void {
    const [from = 0, to = 0] = ids(directive);
    const { raft, storage } = this.#node(directive);
    const { term } = raft.status();
    const message = createMessage({ type: 'MsgSnap', from, to, term, snapshot: storage.snapshot() });
    this.#messages.push(message);
    this.#output.write(describeMessage(message));
  }

  #tick(directive: Directive, ticks: number): void {
    for (let i = 0; i < ticks; i++) this.#node(directive).raft.tick();
  }

  #stabilizeCommand(directive: Directive): void {
    checkOptions(directive, ['log-level']);
    const { level } = this.#output;
    this.#output.level = option(directive, 'log-level') ?? level;
    try {
      const chosen = ids(directive);
      this.#stabilize(chosen.length > 0 ? chosen : this.#nodes.map((_, i) => i + 1));
    } finally {
      this.#output.level = level;
    }
  }

  #stabilize(chosen: readonly number[]): void {
    for (let isDone = false; !isDone; ) {
      isDone = true;
      const work = (id: number, what: string, process: () => void) => {
        isDone = false;
        this.#output.write(`> ${id} ${what}`);
        this.#output.indented(process);
      };
      for (const id of chosen) {
        if (this.#nodeOf(id).raft.hasReady) work(id, 'handling Ready', () => this.#processReady(id));
      }
      for (const id of chosen) {
        if (!this.#messages.some(({ to }) => to === id)) continue;
        work(id, 'receiving messages', () => void this.#deliver(id, undefined, false));
      }
      for (const kind of ['append', 'apply'] as const) {
        for (const id of chosen) {
          const node = this.#nodeOf(id);
          const pending = kind === 'append' ? node.appendWork : node.applyWork;
          if (pending.length === 0) continue;
          work(id, `processing ${kind} thread`, () => {
            while (pending.length > 0) this.#processWork(id, kind);
          });
        }
      }
    }
  }

  #node(directive: Directive): ScriptedNode {
    return this.#nodeOf(ids(directive)[0] ?? 0);
  }

  #nodeOf(id: number): ScriptedNode {
    const node = this.#nodes[id - 1];
    if (node === undefined) throw new Error(`there is no node ${id}`);
    return node;
  }
}

const electionTick = 3;
const heartbeatTick = 1;

/** Options of `add-nodes` that are a node's own. */
const nodeOptions: Readonly<Record<string, (value: string) => Partial<RaftOptions>>> = {
  inflight: (value) => ({ maxInflightMessages: wholeNumber(value) }),
  'async-storage-writes': (value) => ({ asyncStorageWrites: flag(value) }),
  prevote: (value) => ({ preVote: flag(value) }),
  checkquorum: (value) => ({ checkQuorum: flag(value) }),
  'max-committed-size-per-ready': (value) => ({ maxCommittedSizePerReady: wholeNumber(value) }),
  'disable-conf-change-validation': (value) => ({ disableConfChangeValidation: flag(value) }),
  'step-down-on-removal': (value) => ({ stepDownOnRemoval: flag(value) }),
  'read-only': (value) => {
    if (value !== 'safe' && value !== 'lease-based') throw new Error(`unknown read-only option '${value}'`);
    return { readOnly: value === 'safe' ? 'safe' : 'leaseBased' };
  },
};

/** What a directive prints as its error. */
class Refusal extends Error {}

function flag(value: string): boolean {
  if (value !== 'true' && value !== 'false') throw new Error(`'${value}' is neither true nor false`);
  return value === 'true';
}

/** The ids that stand bare in a directive. */
function ids({ arguments: given }: Directive): number[] {
  return given.filter(({ key, values }) => values.length === 0 && /^\d+$/.test(key)).map(({ key }) => wholeNumber(key));
}

function options({ arguments: given }: Directive, key: string): readonly string[] {
  return given.find((argument: DirectiveArgument) => argument.key === key)?.values ?? [];
}

function option(directive: Directive, key: string): string | undefined {
  return options(directive, key)[0];
}

function checkOptions({ arguments: given }: Directive, known: readonly string[]): void {
  for (const { key } of given) {
    if (!/^\d+$/.test(key) && !known.includes(key)) throw new Error(`unknown option '${key}'`);
  }
}
