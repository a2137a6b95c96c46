// What yaml has for bundlers. Its index for Node cannot be taken in parts, is a fifth larger, and prints what it reads
// to stdout where the environment has LOG_STREAM or LOG_TOKENS.
export * from '../../node_modules/yaml/browser/dist/index.js';
