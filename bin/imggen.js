#!/usr/bin/env node
// Starts dist/start.js. Written for any Node that can parse it, so that an old one is told what is needed.
var fs = require('fs');
var path = require('path');
var version = process.versions.node.split('.').map(Number);
var supported = version[0] === 20 ? version[1] >= 19 : version[0] === 22 ? version[1] >= 12 : version[0] > 22;

if (supported) start();
else fail('imggen needs Node.js 20.19 or later, or 22.12 or later; this is ' + process.versions.node, 'install one: https://nodejs.org');

function start() {
  keepCompiled();
  var program = path.join(__dirname, '../dist/start.js');
  if (fs.existsSync(program)) require(program).main();
  else fail('imggen is not built: dist/start.js is missing', 'in a clone of the repository: npm ci, or npm run build');
}

/**
 * Lets Node keep the compiled program, in a directory that is this user's alone: Node's own choice lies in the temporary
 * directory, where anybody could have made it first. NODE_COMPILE_CACHE and NODE_DISABLE_COMPILE_CACHE win.
 */
function keepCompiled() {
  var env = process.env;
  var node = require('module');
  var home = env.HOME && path.join(env.HOME, process.platform === 'darwin' ? 'Library/Caches' : '.cache');
  var caches = process.platform === 'win32' ? env.LOCALAPPDATA : env.XDG_CACHE_HOME || home;
  if (!node.enableCompileCache || !caches || !path.isAbsolute(caches)) return;
  try {
    if (!fs.existsSync(caches)) fs.mkdirSync(caches, { mode: 448 });
    node.enableCompileCache(path.join(caches, 'imggen'));
  } catch {
    // Without a cache it starts a little slower, and that is all.
  }
}

function fail(what, hint) {
  console.error('error: ' + what + '\nhint: ' + hint);
  process.exitCode = 2;
}
