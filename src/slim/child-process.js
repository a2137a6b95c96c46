// commander loads node:child_process for subcommands that are programs of their own, and imggen has none.
module.exports = {};
