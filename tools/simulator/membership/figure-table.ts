/** Figures of several runs side by side, as a table of a document. */
export class FigureTable {
  readonly #columns: string[] = [];
  readonly #rows = new Map<string, Map<string, string>>();

  /** `what` was `value` in the run called `column`. */
  add(column: string, what: string, value: string): void {
    if (!this.#columns.includes(column)) this.#columns.push(column);
    const row = this.#rows.get(what);
    if (row === undefined) this.#rows.set(what, new Map([[column, value]]));
    else row.set(column, value);
  }

  /** In Markdown; `title` stands in the corner. */
  text(title: string): string {
    const lines = [
      [title, ...this.#columns],
      ['---', ...this.#columns.map(() => '---')],
      ...[...this.#rows].map(([what, row]) => [what, ...this.#columns.map((column) => row.get(column) ?? '')]),
    ];
    return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
  }
}
