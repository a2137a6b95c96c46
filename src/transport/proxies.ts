import { usageError } from '../errors.ts';

/** The proxies of an environment, as undici takes them. */
export interface Proxies {
  httpProxy: string;
  httpsProxy: string;
  noProxy: string;
}

/**
 * Reads HTTP_PROXY, HTTPS_PROXY and NO_PROXY, in either case; `host:port` means `http://host:port`, as for curl.
 * Undefined without a proxy. Throws ImggenError `usage` for a proxy that is not an http(s) URL.
 */
export function proxiesOf(env: Readonly<Record<string, string | undefined>>): Proxies | undefined {
  const [httpProxy, httpsProxy] = [proxy(env, 'HTTP_PROXY'), proxy(env, 'HTTPS_PROXY')];
  if (httpProxy === '' && httpsProxy === '') return undefined;
  return { httpProxy, httpsProxy, noProxy: env.no_proxy ?? env.NO_PROXY ?? '' };
}

function proxy(env: Readonly<Record<string, string | undefined>>, name: string): string {
  const given = env[name.toLowerCase()] ?? env[name] ?? '';
  if (given === '') return '';
  const url = given.includes('://') ? given : `http://${given}`;
  if (!/^https?:/i.test(url) || !URL.canParse(url)) throw usageError(`${name} is not an http(s) URL`, 'http://proxy.example:3128');
  return url;
}
