/** The part of vitest's JSON report that is looked at. */
export interface TestReport {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message?: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages?: readonly string[] | null;
    }[];
  }[];
}

/**
 * `caught`: a test failed as it should. `survived`: all passed. `stale`: the mutation does not fit its file any more.
 * `broken`: something failed, but not by noticing the bug, or no test ran at all.
 */
export interface Verdict {
  readonly kind: 'caught' | 'survived' | 'stale' | 'broken';
  readonly why: string;
}

/** Messages of a mutant that does not run, or that hangs: nobody has noticed what it breaks. */
const notNoticed =
  /^(?:Error: )?(?:SyntaxError|ReferenceError|Transform failed)|is not a function|is not defined|Cannot find (?:module|package)|Cannot read properties of undefined|timed out in \d+ms|STACK_TRACE_ERROR/;

/** Judges a run of the tests that should notice a bug. */
export function verdictOf(report: TestReport): Verdict {
  const results = report.testResults.flatMap((file) => file.assertionResults);
  const failed = results.filter(({ status }) => status === 'failed');
  for (const { fullName, failureMessages } of failed) {
    const message = failureMessages?.[0] ?? '';
    if (!notNoticed.test(message)) return { kind: 'caught', why: `${fullName.trim()}: ${firstLine(message)}` };
  }
  const [first] = failed;
  if (first !== undefined) return { kind: 'broken', why: firstLine(first.failureMessages?.[0] ?? first.fullName) };
  const bad = report.testResults.find(({ status }) => status === 'failed');
  if (bad !== undefined) return { kind: 'broken', why: firstLine(bad.message ?? bad.name) };
  const passed = results.filter(({ status }) => status === 'passed').length;
  return passed === 0 ? { kind: 'broken', why: 'no test ran' } : { kind: 'survived', why: `${passed} tests passed` };
}

function firstLine(text: string): string {
  const [line = ''] = text.split('\n');
  return line.length > 140 ? `${line.slice(0, 140)}…` : line;
}
