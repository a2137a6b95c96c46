// The part of undici that the bundle needs. Its index loads fetch, WebSocket, caches and mocks as well, which costs
// 27 ms at every start and 70 kB of the package.
import * as api from 'undici/lib/api/index.js';
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js';
import ProxyAgent from 'undici/lib/dispatcher/proxy-agent.js';

Object.assign(Dispatcher.prototype, api.default);

export { ProxyAgent };

export function request(url, { dispatcher, ...options }) {
  const { origin, pathname, search } = new URL(url);
  return dispatcher.request({ ...options, origin, path: pathname + search });
}
