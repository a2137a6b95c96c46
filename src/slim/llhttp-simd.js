// undici carries its parser twice. This is no WebAssembly, so that it takes the one that runs on every processor: a
// proxy's answers are not read faster with the other, which is a tenth of the package.
module.exports = '';
