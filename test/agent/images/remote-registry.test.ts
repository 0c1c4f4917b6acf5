import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { RemoteRegistry } from '../../../agent/images/remote-registry.ts';

/* Registries that give tokens, or send elsewhere: on the loopback, without TLS. */

const USER = { username: 'u', password: 'p' };
const BASIC = `Basic ${Buffer.from('u:p').toString('base64')}`;

interface Asked {
  readonly url: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
}

async function serve(
  t: Test,
  answer: (asked: Asked, response: ServerResponse, request: IncomingMessage) => unknown,
): Promise<{ host: string; asked: Asked[] }> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    const { url = '', headers } = request;
    const one = { url, authorization: headers.authorization, range: headers.range };
    asked.push(one);
    void answer(one, response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

const at = (host: string) => ({ host, repository: 'team/app', credentialsHost: host });
const textOf = async (parts: AsyncIterable<Buffer>) => {
  let text = '';
  for await (const part of parts) text += part;
  return text;
};

t.test('a token is had for the credentials, once, and shown', async (t) => {
  const { host, asked } = await serve(t, ({ url, authorization }, response) => {
    if (url.startsWith('/token')) {
      if (authorization !== BASIC) return response.writeHead(401).end();
      return response.end(JSON.stringify({ token: 'T' }));
    }
    if (authorization === 'Bearer T') return response.end('{}');
    const challenge = `Bearer realm="http://${host}/token",service="s",scope="repository:team/app:pull"`;
    return response.writeHead(401, { 'WWW-Authenticate': challenge }).end();
  });
  const registry = new RemoteRegistry(at(host), [{ username: 'x', password: 'y' }, USER]);
  t.equal((await registry.manifest('1')).toString(), '{}');
  t.equal((await registry.manifest('2')).toString(), '{}');
  t.same(
    asked.map(({ url, authorization }) => [url.split('?')[0], authorization?.split(' ')[0]]),
    [
      ['/v2/team/app/manifests/1', undefined],
      ['/token', 'Basic'],
      ['/token', 'Basic'],
      ['/v2/team/app/manifests/1', 'Bearer'],
      ['/v2/team/app/manifests/2', 'Bearer'],
    ],
  );
  t.match(asked[1]?.url, /service=s&scope=repository%3Ateam%2Fapp%3Apull/);
});

t.test('a token that was kept is had for it; for nobody one is had as well', async (t) => {
  const bodies: string[] = [];
  const { host } = await serve(t, async ({ url, authorization }, response, request) => {
    if (url.startsWith('/token')) {
      bodies.push(await textOf(request));
      return response.end(JSON.stringify({ access_token: 'T' }));
    }
    if (authorization === 'Bearer T') return response.end('{}');
    return response.writeHead(401, { 'WWW-Authenticate': `Bearer realm="http://${host}/token"` }).end();
  });
  const kept = new RemoteRegistry(at(host), [{ username: '', password: '', identityToken: 'I' }]);
  t.equal((await kept.manifest('1')).toString(), '{}');
  t.match(bodies[0], /refresh_token=I&grant_type=refresh_token/);
  t.equal((await new RemoteRegistry(at(host), []).manifest('1')).toString(), '{}');
  t.equal(bodies[1], '');
});

t.test('who keeps the layers does not see the credentials', async (t) => {
  const store = await serve(t, ({ range }, response) =>
    response.writeHead(range ? 206 : 200).end(range ? 'lm' : 'helm'),
  );
  const { host, asked } = await serve(t, ({ authorization }, response) =>
    authorization === BASIC
      ? response.writeHead(307, { Location: `http://${store.host}/there` }).end()
      : response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="x"' }).end(),
  );
  const registry = new RemoteRegistry(at(host), [USER]);
  const whole = await registry.blob('sha256:1', 0);
  t.same([whole.from, await textOf(whole.parts)], [0, 'helm']);
  const rest = await registry.blob('sha256:1', 2);
  t.same([rest.from, await textOf(rest.parts)], [2, 'lm']);
  t.same(store.asked, [
    { url: '/there', authorization: undefined, range: undefined },
    { url: '/there', authorization: undefined, range: 'bytes=2-' },
  ]);
  t.same(
    asked.map(({ authorization }) => authorization),
    [undefined, BASIC, BASIC],
  );
});

t.test('what is wrong is told, without the password', async (t) => {
  const { host } = await serve(t, ({ url }, response) => {
    if (url.endsWith('/denied')) return response.writeHead(403).end('{"errors":[{"message":"not you"}]}');
    if (url.endsWith('/circle')) return response.writeHead(302, { Location: url }).end();
    return response
      .writeHead(404)
      .end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}');
  });
  const registry = new RemoteRegistry(at(host), [USER]);
  await t.rejects(registry.manifest('none'), {
    message: `the registry "${host}" does not give the image: 404 manifest unknown`,
  });
  await t.rejects(registry.manifest('denied'), {
    kind: 'image-denied',
    message: /to the credentials of its pull secrets: 403 not you/,
  });
  await t.rejects(registry.manifest('circle'), /can not be reached: it sends in circles/);
  await t.rejects(
    new RemoteRegistry(at('127.0.0.1:9'), []).manifest('1'),
    /"127.0.0.1:9" can not be reached: .*ECONNREFUSED/,
  );
});
