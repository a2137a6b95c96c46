// undici loads node:http2 for a protocol that imggen does not let it use, and takes this for a Node without it.
module.exports = { constants: {} };
