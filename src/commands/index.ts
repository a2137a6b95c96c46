/** The commands as one module: what a start does not need is then one file to load, not many. */
export * as batch from './batch.ts';
export * as config from './config.ts';
export * as history from './history.ts';
export * as login from './login.ts';
export * as logout from './logout.ts';
export * as models from './models.ts';
export * as resume from './resume.ts';
export * as sandbox from './sandbox.ts';
