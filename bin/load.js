// Loads the program: the files of dist/, which require one another. What V8 has made of them is kept between runs, in one
// file: Node's own compile cache has less of each file, reads one for each, and Node 20 has none.
'use strict';
const fs = require('fs');
const path = require('path');
const { Script } = require('vm');

const dist = path.join(__dirname, '../dist');
const wrapper = ['(function (exports, require, module, __filename, __dirname) {', '\n})'];
/** V8 reads at addresses that are multiples of this. */
const alignment = 8;

/** Returns what dist/<entry> exports. */
module.exports = function load(entry) {
  const text = readText(entry);
  // V8 looks at the length of a text alone. The first line of the entry tells builds apart.
  const kept = new Kept(cacheFile(), text.slice(0, text.indexOf('\n')));
  const modules = new Map();
  const loadOnce = (name) => {
    const known = modules.get(name);
    if (known) return known.exports;
    const script = kept.compile(name, name === entry ? text : readText(name));
    const module = { exports: {} };
    modules.set(name, module);
    script.runInThisContext().call(module.exports, module.exports, requireFrom, module, path.join(dist, name), dist);
    return module.exports;
  };
  const requireFrom = (id) => (id.startsWith('./') ? loadOnce(id.slice(2)) : require(id));
  return loadOnce(entry);
};

function readText(name) {
  return fs.readFileSync(path.join(dist, name), 'utf8');
}

/** Where compiled files are kept, a place that is this user's alone; undefined when there is none, or nobody wants it. */
function cacheFile() {
  const { env, platform, version, arch } = process;
  const home = env.HOME && path.join(env.HOME, platform === 'darwin' ? 'Library/Caches' : '.cache');
  const caches = platform === 'win32' ? env.LOCALAPPDATA : env.XDG_CACHE_HOME || home;
  if (env.NODE_DISABLE_COMPILE_CACHE || !caches || !path.isAbsolute(caches)) return undefined;
  return path.join(caches, 'imggen', `${version}-${arch}.bin`);
}

/** The compiled files of one build. Whatever goes wrong with them, the program only starts a little slower. */
class Kept {
  #file;
  #build;
  #data;
  /** Of V8 and its flags when the file was written. */
  #tag;
  #scripts = new Map();
  #isComplete = true;
  #isOfUse = false;

  constructor(file, build) {
    this.#file = file;
    this.#build = build;
    const { tag, data } = readKept(file, build);
    this.#tag = tag;
    this.#data = data;
  }

  compile(name, source) {
    const cachedData = this.#data.get(name);
    // Lines and columns are those of the file.
    const place = { filename: path.join(dist, name), columnOffset: -wrapper[0].length };
    const script = new Script(wrapper.join(source), { ...place, cachedData });
    this.#scripts.set(name, script);
    this.#isOfUse ||= script.cachedDataRejected === false;
    if (this.#file !== undefined && this.#isComplete && script.cachedDataRejected !== false) {
      this.#isComplete = false;
      process.once('exit', () => this.#save());
    }
    return script;
  }

  /** At the end a script has every function that was used. */
  #save() {
    const temporary = `${this.#file}.${process.pid}.tmp`;
    try {
      const tag = require('v8').cachedDataVersionTag();
      // Flags that the program set on the way would have the next run, which does not, refuse all of it.
      if (this.#isOfUse && tag !== this.#tag) return;
      makePrivate(path.dirname(this.#file));
      const descriptor = fs.openSync(temporary, 'wx', 0o600);
      try {
        for (const [name, script] of this.#scripts) this.#data.set(name, script.createCachedData());
        for (const bytes of written(this.#build, tag, this.#data)) fs.writeFileSync(descriptor, bytes);
        fs.fsyncSync(descriptor);
      } finally {
        fs.closeSync(descriptor);
      }
      fs.renameSync(temporary, this.#file);
    } catch {
      removeIfThere(temporary);
    }
  }
}

/**
 * The file in pieces: a line of JSON, the build and what follows, then each compiled file twice. V8 trusts what it is given,
 * and would crash on a wrong byte, run after run; to compare the two is the quickest way to see that there is none.
 */
function written(build, tag, data) {
  const head = JSON.stringify([build, tag, [...data].map(([name, { length }]) => [name, length])]);
  const pieces = [`${head}${' '.repeat(padding(head.length + 1))}\n`];
  for (const bytes of data.values())
    pieces.push(bytes, ' '.repeat(padding(bytes.length)), bytes, ' '.repeat(padding(bytes.length)));
  return pieces;
}

/** The compiled files by name, and the tag that they were written with; none of a file that is another build's or another user's, or is damaged. */
function readKept(file, build) {
  const data = new Map();
  let tag;
  if (file === undefined) return { tag, data };
  try {
    const bytes = readOwn(file);
    let at = bytes.indexOf('\n') + 1;
    const [builtAs, taggedAs, entries] = JSON.parse(bytes.toString('latin1', 0, at));
    if (builtAs !== build) return { tag, data };
    tag = taggedAs;
    for (const [name, length] of entries) {
      const [first, second] = [at, at + length + padding(length)].map((start) => bytes.subarray(start, start + length));
      if (first.length === length && first.equals(second)) data.set(name, first);
      at += 2 * (length + padding(length));
    }
  } catch {
    // It is not there, or no such file.
  }
  return { tag, data };
}

/** What is in it will be run: as root, too, nobody else's. */
function readOwn(file) {
  const descriptor = fs.openSync(file, 'r');
  try {
    if (process.getuid && fs.fstatSync(descriptor).uid !== process.getuid()) throw new Error("another user's");
    return fs.readFileSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}

function padding(length) {
  return (alignment - (length % alignment)) % alignment;
}

/** Makes a directory and the one above it, where they are missing. */
function makePrivate(directory) {
  for (const each of [path.dirname(directory), directory])
    if (!fs.existsSync(each)) fs.mkdirSync(each, { mode: 0o700 });
}

function removeIfThere(file) {
  try {
    fs.unlinkSync(file);
  } catch {
    // It is not.
  }
}
