import t from 'tap';
import { credentialsFor } from '../../../agent/images/credentials.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const entry = (user: string) => ({ auth: base64(`${user}:secret`) });
const json = (auths: object) => ({
  type: 'kubernetes.io/dockerconfigjson',
  data: { '.dockerconfigjson': base64(JSON.stringify({ auths })) },
});

t.test('which credentials are for an image, the most special first', async (t) => {
  const rows: [string, object, string, string, string[]][] = [
    ['the host', { 'r.example': entry('a') }, 'r.example', 'app', ['a']],
    ['another host', { 'r.example': entry('a') }, 's.example', 'app', []],
    ['a scheme and a version', { 'https://r.example/v1/': entry('a') }, 'r.example', 'app', ['a']],
    ['another port', { 'r.example:5000': entry('a') }, 'r.example', 'app', []],
    ['its port', { 'r.example:5000': entry('a') }, 'r.example:5000', 'app', ['a']],
    ['a part of it', { 'r.example/team': entry('a') }, 'r.example', 'team/app', ['a']],
    ['another part of it', { 'r.example/team': entry('a') }, 'r.example', 'other/app', []],
    ['both', { 'r.example': entry('a'), 'r.example/team': entry('b') }, 'r.example', 'team/app', ['b', 'a']],
    ['a star', { '*.r.example': entry('a') }, 'eu.r.example', 'app', ['a']],
    ['a star in a part', { 'eu-*.r.example': entry('a') }, 'eu-1.r.example', 'app', ['a']],
    ['a star is one part', { '*.r.example': entry('a') }, 'a.b.r.example', 'app', []],
    ['a star is not none', { '*.r.example': entry('a') }, 'r.example', 'app', []],
    ['a star elsewhere', { 'eu-*-x.r.example': entry('a') }, 'eu-x.r.example', 'app', []],
  ];
  for (const [what, auths, host, repository, users] of rows)
    t.same(
      credentialsFor([json(auths)], { host, repository }).map(({ username }) => username),
      users,
      what,
    );
});

t.test('how credentials are written', async (t) => {
  const image = { host: 'r.example', repository: 'app' };
  const old = {
    type: 'kubernetes.io/dockercfg',
    data: { '.dockercfg': base64(JSON.stringify({ 'r.example': { username: 'u', password: 'p:q' } })) },
  };
  t.same(credentialsFor([old], image), [{ username: 'u', password: 'p:q' }]);
  t.same(credentialsFor([json({ 'r.example': { auth: base64('u:p:q') } })], image), [
    { username: 'u', password: 'p:q' },
  ]);
  t.same(credentialsFor([json({ 'r.example': { identitytoken: 'i' } })], image), [
    { username: '', password: '', identityToken: 'i' },
  ]);
  t.same(
    credentialsFor([old, json({ 'r.example': entry('second') })], image).map(({ username }) => username),
    ['u', 'second'],
  );
  for (const data of [{}, { '.dockerconfigjson': base64('no') }, { '.dockerconfigjson': base64('{}') }])
    t.same(credentialsFor([{ type: 'kubernetes.io/dockerconfigjson', data }], image), []);
  t.same(credentialsFor([json({ 'r.example': {} })], image), [], 'nobody is none');
});
