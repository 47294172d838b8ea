import {
  Changer,
  type ConfChangeSingle,
  type ConfChangeType,
  describeConfiguration,
  describeProgress,
  emptyConfiguration,
  type Membership,
  RaftError,
} from '@shanghai/raft';
import { type Directive, wholeNumber } from './datadriven-file.js';

/** `v1 l2 r3 u4`: what happens to which node. */
export function parseConfChanges(text: string): ConfChangeSingle[] {
  const words = text.split(/\s+/).filter((word) => word !== '');
  return words.map((word) => {
    const type = typesByLetter[word[0] as string];
    if (type === undefined) throw new Error(`unknown change '${word}'`);
    return { type, nodeId: wholeNumber(word.slice(1)) };
  });
}

/** The letters of `parseConfChanges`. */
export const typesByLetter: Readonly<Record<string, ConfChangeType>> = {
  v: 'addNode',
  l: 'addLearner',
  r: 'removeNode',
  u: 'updateNode',
};

/** Runs the directives of one `confchange` file: each begins where the one before left off. */
export class ConfigurationCommands {
  #membership: Membership = { configuration: emptyConfiguration, progress: new Map() };
  /** Every directive is one entry further, so that it shows when a progress was made. */
  #lastIndex = 0;

  run({ command, arguments: given, input }: Directive): string {
    try {
      const changer = new Changer({
        ...this.#membership,
        lastIndex: this.#lastIndex,
        inflightLimits: { maxMessages: 10, maxBytes: 0 },
      });
      const changes = parseConfChanges(input);
      if (command === 'simple') this.#membership = changer.simple(changes);
      else if (command === 'enter-joint') {
        const autoLeave = given.find(({ key }) => key === 'autoleave')?.values[0] === 'true';
        this.#membership = changer.enterJoint(autoLeave, changes);
      } else if (command === 'leave-joint') {
        if (changes.length > 0) return 'this command takes no input\n';
        this.#membership = changer.leaveJoint();
      } else throw new Error(`unknown command '${command}'`);
    } catch (error) {
      if (error instanceof RaftError) return `${error.message}\n`;
      throw error;
    } finally {
      this.#lastIndex++;
    }
    const { configuration, progress } = this.#membership;
    const rows = [...progress].sort(([a], [b]) => a - b).map(([id, one]) => `${id}: ${describeProgress(one)}\n`);
    return `${describeConfiguration(configuration)}\n${rows.join('')}`;
  }
}
