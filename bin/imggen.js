#!/usr/bin/env node
// Starts dist/start.js. Written for any Node that can parse it, so that an old one is told what is needed.
var fs = require('fs');
var path = require('path');
var version = process.versions.node.split('.').map(Number);
var supported = version[0] === 20 ? version[1] >= 19 : version[0] === 22 ? version[1] >= 12 : version[0] > 22;

if (supported) start();
else
  fail(
    'imggen needs Node.js 20.19 or later, or 22.12 or later; this is ' + process.versions.node,
    'install one: https://nodejs.org',
  );

function start() {
  var isBuilt = fs.existsSync(path.join(__dirname, '../dist/start.js'));
  if (isBuilt) require('./load.js')('start.js').main();
  else fail('imggen is not built: dist/start.js is missing', 'in a clone of the repository: npm ci, or npm run build');
}

function fail(what, hint) {
  console.error('error: ' + what + '\nhint: ' + hint);
  process.exitCode = 2;
}
