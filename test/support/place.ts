import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';

/** The directories of one user of the program, fresh and empty. */
export class Place {
  readonly root = mkdtempSync(join(tmpdir(), 'imggen-test-'));
  readonly home = join(this.root, 'home');
  readonly config = join(this.root, 'config');
  readonly state = join(this.root, 'state');
  /** Where the program runs; its files are what a test looks at. */
  readonly cwd = join(this.root, 'cwd');

  /** @param kept until `remove()`; otherwise the directories are removed after the test */
  constructor({ kept = false } = {}) {
    mkdirSync(this.home);
    mkdirSync(this.cwd);
    if (!kept) onTestFinished(() => this.remove());
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }

  get configFile(): string {
    return join(this.config, 'config.json');
  }

  /** Writes a file below the working directory. */
  write(name: string, content: string | Uint8Array): void {
    const path = join(this.cwd, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }

  /** Reads a file below the working directory. */
  read(name: string): Buffer {
    return readFileSync(join(this.cwd, name));
  }

  json(name: string): Record<string, unknown> {
    return JSON.parse(this.read(name).toString()) as Record<string, unknown>;
  }

  sha256(name: string): string {
    return sha256(this.read(name));
  }

  /** The names of all files below the working directory, hidden ones too, in order. */
  files(): string[] {
    return namesBelow(this.cwd);
  }

  /** Every file that the program may have written, by its full path. */
  everything(): string[] {
    return [this.cwd, this.config, this.state, this.home].flatMap((top) =>
      namesBelow(top).map((name) => join(top, name)),
    );
  }

  writeConfig(content: unknown, mode = 0o600): void {
    mkdirSync(this.config, { recursive: true });
    writeFileSync(this.configFile, typeof content === 'string' ? content : JSON.stringify(content), { mode });
  }

  readConfig(): unknown {
    return JSON.parse(readFileSync(this.configFile, 'utf8'));
  }
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The names of all files below a directory, hidden ones too, in order; none where there is no directory. */
export function namesBelow(top: string): string[] {
  if (!statSync(top, { throwIfNoEntry: false })?.isDirectory()) return [];
  return readdirSync(top, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(top.length + 1))
    .sort();
}
