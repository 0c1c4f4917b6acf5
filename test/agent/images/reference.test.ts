import t from 'tap';
import { parseReference } from '../../../agent/images/reference.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;

t.test('names of images', async (t) => {
  const rows: [string, string | undefined, string, string | undefined, string | undefined][] = [
    ['app', undefined, 'app', 'latest', undefined],
    ['app:1', undefined, 'app', '1', undefined],
    ['team/app:1', undefined, 'team/app', '1', undefined],
    ['localhost/app', 'localhost', 'app', 'latest', undefined],
    ['registry.example/team/app:1.2_3-x', 'registry.example', 'team/app', '1.2_3-x', undefined],
    ['registry.example:5000/app', 'registry.example:5000', 'app', 'latest', undefined],
    ['127.0.0.1:5000/a/b/c:1', '127.0.0.1:5000', 'a/b/c', '1', undefined],
    [`registry.example/app@${DIGEST}`, 'registry.example', 'app', undefined, DIGEST],
    [`app:1@${DIGEST}`, undefined, 'app', '1', DIGEST],
  ];
  for (const [image, registry, repository, tag, digest] of rows)
    t.same(parseReference(image), { registry, repository, tag, digest }, image);
});

t.test('what is no name is told so', async (t) => {
  for (const image of [
    '',
    'App',
    'a//b',
    'app:',
    'app:a b',
    'app@sha256:1',
    `app@${DIGEST}@${DIGEST}`,
    '../app',
    'r.example/',
    '-a',
  ])
    t.throws(() => parseReference(image), /is no name of an image: say/, image);
});
