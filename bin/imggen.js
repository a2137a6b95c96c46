#!/usr/bin/env node
// Starts dist/cli.js. Written for any Node that can parse it, so that an old one is told what is needed.
var version = process.versions.node.split('.').map(Number);
var supported = version[0] === 20 ? version[1] >= 19 : version[0] === 22 ? version[1] >= 12 : version[0] > 22;

if (supported) start();
else fail('imggen needs Node.js 20.19 or later, or 22.12 or later; this is ' + process.versions.node, 'install one: https://nodejs.org');

function start() {
  keepCompiled();
  import('../dist/cli.js').then(
    function (cli) {
      return cli.main();
    },
    function (error) {
      if (error.code !== 'ERR_MODULE_NOT_FOUND' || !/dist[\\/]cli\.js' imported/.test(error.message)) throw error;
      fail('imggen is not built: dist/cli.js is missing', 'in a clone of the repository: npm ci, or npm run build');
    },
  );
}

/**
 * Lets Node keep the compiled program, in a directory that is this user's alone: Node's own choice lies in the temporary
 * directory, where anybody could have made it first. NODE_COMPILE_CACHE and NODE_DISABLE_COMPILE_CACHE win.
 */
function keepCompiled() {
  var env = process.env;
  var fs = process.getBuiltinModule('fs');
  var node = process.getBuiltinModule('module');
  var path = process.getBuiltinModule('path');
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
