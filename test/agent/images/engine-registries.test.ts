import t from 'tap';
import { type EngineFacts, isLoopback, locate } from '../../../agent/images/engine-registries.ts';
import { parseReference } from '../../../agent/images/reference.ts';

const ENGINE: EngineFacts = {
  IndexServerAddress: 'https://index.example/v1/',
  RegistryConfig: {
    InsecureRegistryCIDRs: ['127.0.0.0/8'],
    IndexConfigs: {
      'own.example': { Mirrors: [], Secure: true, Official: true },
      'plain.example:5000': { Mirrors: [], Secure: false },
      'mirrored.example': { Mirrors: ['https://m.example'], Secure: true },
    },
  },
};

t.test('where an image is, or that the engine must know', async (t) => {
  const own = (repository: string) => ({
    host: 'index.example',
    repository,
    credentialsHost: 'index.example',
  });
  const at = (host: string) => ({ host, repository: 'app', credentialsHost: host });
  const { RegistryConfig } = ENGINE;
  const mirrors = { 'own.example': { Mirrors: ['https://m.example'], Official: true } };
  const rows: [string, string, EngineFacts, object | undefined][] = [
    ['its own index', 'app', ENGINE, own('library/app')],
    ['somebody there', 'team/app', ENGINE, own('team/app')],
    ['by its name', 'own.example/app', ENGINE, own('library/app')],
    ['a registry', 'r.example/app', ENGINE, at('r.example')],
    ['the loopback', '127.0.0.1:5000/app', ENGINE, at('127.0.0.1:5000')],
    ['without TLS', 'plain.example:5000/app', ENGINE, undefined],
    ['a mirror', 'mirrored.example/app', ENGINE, undefined],
    ['a mirror of the index', 'app', { ...ENGINE, RegistryConfig: { IndexConfigs: mirrors } }, undefined],
    ['certificates of its own', 'own-ca.example/app', ENGINE, undefined],
    ['a proxy', 'r.example/app', { ...ENGINE, HttpsProxy: 'http://p' }, undefined],
    [
      'a proxy is not for the loopback',
      'localhost:5000/app',
      { ...ENGINE, HttpProxy: 'http://p' },
      at('localhost:5000'),
    ],
    [
      'networks without TLS',
      'r.example/app',
      { RegistryConfig: { ...RegistryConfig, InsecureRegistryCIDRs: ['10.0.0.0/8'] } },
      undefined,
    ],
    ['an engine without an index', 'app', {}, undefined],
    ['another engine', 'r.example/app', { ...ENGINE, isOther: true }, undefined],
  ];
  for (const [what, image, engine, location] of rows)
    t.same(
      locate(parseReference(image), engine, (host) => host === 'own-ca.example'),
      location,
      what,
    );
});

t.test('the loopback', async (t) => {
  for (const host of ['localhost', 'localhost:1', '127.0.0.1', '127.3.2.1:5000', '[::1]:5000'])
    t.ok(isLoopback(host), host);
  for (const host of ['localhost.example', '127.0.0.1.example', '128.0.0.1', 'r.example:5000'])
    t.notOk(isLoopback(host), host);
});
