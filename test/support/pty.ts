import { spawn } from '@lydell/node-pty';
import { expect, onTestFinished } from 'vitest';
import { environment, program, type Setup, testKey } from './imggen.ts';
import { Place } from './place.ts';
import { Screen } from './screen.ts';

/** A program in a pseudo terminal. */
export interface PtyRun {
  place: Place;
  /** What a person sees now. */
  screen: Screen;
  /** All output, control sequences included. */
  raw(): string;
  /** Types. */
  type(text: string): void;
  kill(signal: NodeJS.Signals): void;
  /** Resolves once the terminal has its new size; for a program that draws. */
  resize(columns: number, rows: number): Promise<void>;
  /** Resolves once the screen has the text; fails when the program ends without it. */
  saw(text: string | RegExp): Promise<void>;
  end: Promise<{ exit: number; files: string[] }>;
}

/** What a run in a terminal can be given. */
export interface PtySetup extends Omit<Setup, 'stdin' | 'stdout' | 'stderr'> {
  /** 100 by default. */
  columns?: number;
  /** 30 by default. */
  rows?: number;
}

const deadlineMs = 60_000;

/** Runs the program where stdin, stdout and stderr are a real terminal. */
export function pty(args: readonly string[], setup: PtySetup = {}): PtyRun {
  return terminal(process.execPath, [program, ...args], setup);
}

/** Runs a line of shell script there; `imggen` in it is the program. */
export function shell(script: string, setup: PtySetup = {}): PtyRun {
  return terminal('/bin/sh', ['-c', `imggen() { "${process.execPath}" "${program}" "$@"; }\n${script}`], setup);
}

function terminal(file: string, args: string[], { columns = 100, rows = 30, ...setup }: PtySetup): PtyRun {
  const place = setup.place ?? new Place();
  const env = environment(place, { ...setup, env: { TERM: 'xterm-256color', ...setup.env } });
  const child = spawn(file, args, { cols: columns, rows, cwd: place.cwd, env });
  const screen = new Screen(columns);
  const watchers = new Set<() => void>();
  let raw = '';
  let over = false;
  child.onData((data) => {
    raw += data;
    screen.write(data);
    for (const look of watchers) look();
  });
  const end = new Promise<{ exit: number; files: string[] }>((resolve, reject) => {
    const late = setTimeout(() => {
      reject(
        new Error(`${args.slice(1).join(' ')} did not end within ${deadlineMs} ms; the screen:\n${screen.text()}`),
      );
      child.kill('SIGKILL');
    }, deadlineMs);
    child.onExit(({ exitCode }) => {
      over = true;
      clearTimeout(late);
      for (const look of watchers) look();
      resolve({ exit: exitCode, files: place.files() });
    });
  }).then((result) => {
    expect(raw, 'the key on the terminal').not.toContain(testKey);
    expect(
      result.files.filter((name) => name.includes('.imggen-')),
      'temporary files',
    ).toEqual([]);
    expect(screen.cursorVisible, 'the cursor is visible again').toBe(true);
    return result;
  });
  onTestFinished(() => {
    if (!over) child.kill('SIGKILL');
  });
  return {
    place,
    screen,
    raw: () => raw,
    type: (text) => child.write(text),
    kill: (signal) => child.kill(signal),
    resize: (cols, lines) =>
      new Promise((resolve) => {
        // Between two turns of the spinner: what is drawn by halves would be drawn for two sizes.
        const turn = () => {
          if (!raw.endsWith('\u001b[?2026l')) return;
          watchers.delete(turn);
          screen.resize(cols);
          child.resize(cols, lines);
          resolve();
        };
        watchers.add(turn);
      }),
    end,
    saw: (wanted) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const text = screen.text();
          const found = typeof wanted === 'string' ? text.includes(wanted) : wanted.test(text);
          if (!found && !over) return;
          watchers.delete(look);
          if (found) resolve();
          else reject(new Error(`it ended without ${wanted}; the screen:\n${text}`));
        };
        watchers.add(look);
        look();
      }),
  };
}
