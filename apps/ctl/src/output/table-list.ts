/**
 * Rows for people: columns without borders, so that they also serve grep and awk. Written in pages, because the width
 * of a column needs rows and a list may be longer than memory: later pages are at least as wide as earlier ones.
 */
import { printable } from '../byte-text.js';
import { displayWidth } from './display-width.js';
import type { Column, ListPrinter } from './printer.js';

const pageRows = 500;
const gap = '  ';

/** A list in columns; `color` makes the titles bold. Control characters in cells are escaped. */
export function createTableList<Item>(
  out: (data: string) => Promise<void>,
  columns: readonly Column<Item>[],
  color: boolean,
): ListPrinter<Item> {
  const widths = columns.map(({ title }) => displayWidth(title));
  let page: string[][] = [];
  let titles = true;
  const line = (cells: readonly string[]) =>
    columns
      .map(({ align }, index) => pad(cells[index] ?? '', widths[index] ?? 0, align === 'right'))
      .join(gap)
      .trimEnd();
  const flush = () => {
    for (const row of page) {
      for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, displayWidth(cell));
    }
    const lines = page.map(line);
    if (titles) {
      const heading = line(columns.map(({ title }) => title));
      lines.unshift(color ? `\u001b[1m${heading}\u001b[22m` : heading);
    }
    titles = false;
    page = [];
    return out(`${lines.join('\n')}\n`);
  };
  return {
    async row(item) {
      page.push(columns.map((column) => printable(column.text(item))));
      if (page.length >= pageRows) await flush();
    },
    async end() {
      if (page.length > 0 || titles) await flush();
    },
  };
}

function pad(cell: string, width: number, right: boolean): string {
  const blanks = ' '.repeat(Math.max(0, width - displayWidth(cell)));
  return right ? blanks + cell : cell + blanks;
}
