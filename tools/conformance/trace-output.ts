/** What a directive prints: its own lines and the log lines above a level, indented as deep as the work they belong to. */
export class TraceOutput {
  #level: number;
  #text = '';
  #indent = '';

  constructor(level = 'debug') {
    this.#level = levelNumber(level);
  }

  get text(): string {
    return this.#text;
  }

  get level(): string {
    return levels[this.#level] as string;
  }

  set level(name: string) {
    this.#level = levelNumber(name);
  }

  /** Nothing is shown but errors. */
  get isQuiet(): boolean {
    return this.#level === levels.length - 1;
  }

  reset(): void {
    this.#text = '';
  }

  /** Adds whole lines. */
  write(text: string): void {
    if (this.isQuiet) return;
    for (const line of text.split('\n')) if (line !== '') this.#text += `${this.#indent}${line}\n`;
  }

  /** Adds a log line, where its level is shown. */
  log(level: string, message: string): void {
    if (levelNumber(level) >= this.#level) this.write(`${level.toUpperCase()} ${message}`);
  }

  /** What is written meanwhile stands two spaces deeper. */
  indented(work: () => void): void {
    const outer = this.#indent;
    this.#indent += '  ';
    try {
      work();
    } finally {
      this.#indent = outer;
    }
  }
}

const levels = ['debug', 'info', 'warn', 'error', 'fatal', 'none'];

function levelNumber(name: string): number {
  const number = levels.indexOf(name.toLowerCase());
  if (number === -1) throw new Error(`unknown log level '${name}'; there are ${levels.join(', ')}`);
  return number;
}
