/** What imggen uses of undici, as one module to load when it is needed: a bundle keeps these names, not CommonJS's. */
export { Agent, EnvHttpProxyAgent, request } from 'undici';
