#!/usr/bin/env node
// Starts dist/cli.js. Any Node must be able to parse this file, so that an old one can say what is needed.
var fs = require('fs');
var module_ = require('module');
var os = require('os');
var path = require('path');

var version = process.versions.node.split('.').map(Number);
var supported = version[0] === 20 ? version[1] >= 19 : version[0] === 22 ? version[1] >= 12 : version[0] > 22;

if (!supported) {
  fail(
    'imggen needs Node.js 20.19 or later, or 22.12 or later; this is ' + process.versions.node,
    'https://nodejs.org',
  );
} else if (!fs.existsSync(path.join(__dirname, '../dist/cli.js'))) {
  fail('imggen is not built: dist/cli.js is missing', 'in a clone of the repository: npm ci, or npm run build');
} else {
  // Not Node's default below the temporary directory, where another user could plant compiled code.
  var cache = path.join(process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache'), 'imggen');
  if (module_.enableCompileCache && path.isAbsolute(cache)) module_.enableCompileCache(cache);
  require('../dist/cli.js').main();
}

function fail(what, hint) {
  console.error('error: ' + what + '\nhint: ' + hint);
  process.exitCode = 2;
}
