// Runs one child as if it stood in our place: it gets our signals, we end with its code, and it does not outlive us.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';

const pollMs = 500;

/**
 * Resolves with the child's exit code, or 128 and the number of the signal that ended it. On a terminal the child gets
 * an interrupt from the terminal and once more from here; the server takes both for one.
 *
 * npm ends on SIGTERM without telling its child, so in a package's script the end of our parent (or of the launcher that
 * named itself in LAUNCHER_PID, further up) counts as one, too.
 */
export function supervise(command, args, options = {}) {
  const child = spawn(command, args, { stdio: 'inherit', ...options });
  // Once is enough: npm also ends while a signal is being obeyed, and a second one would end the server out of order.
  let isTold = false;
  const parent = process.env.npm_lifecycle_event === undefined ? undefined : process.ppid;
  const launcher = Number(process.env.LAUNCHER_PID);
  const hasParents = () => (parent === undefined || process.ppid === parent) && (!launcher || isAlive(launcher));
  const poll = setInterval(() => {
    if (isTold || hasParents()) return;
    isTold = true;
    child.kill('SIGTERM');
  }, pollMs);
  const forward = (signal) => {
    isTold = true;
    child.kill(signal);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, forward);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      clearInterval(poll);
      for (const name of signals) process.off(name, forward);
      resolve(code ?? 128 + constants.signals[signal]);
    });
  });
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
